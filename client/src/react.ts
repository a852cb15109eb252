import { createContext, useCallback, useContext, useMemo, useSyncExternalStore } from 'react';
import type { Badge, Unread } from './answers.ts';
import type { Receipt, Snapshot } from './store.ts';
import type { Interest, Tidemark } from './tidemark.ts';

const TidemarkContext = /* @__PURE__ */ createContext<Tidemark | null>(null);

/** `<TidemarkProvider value={tidemark}>` gives the hooks below it what `createTidemark` returned. */
export const TidemarkProvider = TidemarkContext.Provider;

/** Throws where there is no provider. */
export function useTidemark(): Tidemark {
  const tidemark = useContext(TidemarkContext);
  if (!tidemark) throw new Error('there is no TidemarkProvider around this component');
  return tidemark;
}

/** The unread messages of a group; null until they are known. */
export function useUnread(groupId: string): Readonly<Unread> | null {
  const interest = useMemo(() => ({ groupId }), [groupId]);
  return useSnapshot(({ views }) => views.get(groupId)?.unread ?? null, null, interest);
}

/** How many have read and received each of these messages; null for one of which that is not known. */
export function useReceipts(groupId: string, messageIds: readonly string[]): readonly (Receipt | null)[] {
  const key = messageIds.join();
  const ids = useMemo(() => key.split(',').filter(Boolean), [key]);
  const interest = useMemo(() => ({ groupId, messageIds: ids }), [groupId, ids]);
  const known = useSnapshot(({ receipts }) => receipts.get(groupId) ?? null, null, interest);
  return useMemo(() => ids.map((id) => known?.get(id) ?? null), [known, ids]);
}

/** How much is unread in all groups together that are neither archived nor muted. */
export function useBadge(): Readonly<Badge> {
  return useSnapshot(({ badge }) => badge, NO_BADGE);
}

const NO_BADGE: Badge = { groups: 0, messages: 0, mentions: 0, exact: false };

/** `select` has to return the same object as long as that has not changed: parts of the snapshot do. */
function useSnapshot<T>(select: (snapshot: Snapshot) => T, onServer: T, interest?: Interest): T {
  const tidemark = useTidemark();
  const subscribe = useCallback(
    (listener: () => void) => tidemark.subscribe(listener, interest),
    [tidemark, interest],
  );
  return useSyncExternalStore(
    subscribe,
    () => select(tidemark.getSnapshot()),
    () => onServer,
  );
}
