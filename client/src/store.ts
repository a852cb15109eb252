import type { MessageReceipts, Unread } from './answers.ts';
import { compareIds, isAbove, laterOf } from './message-id.ts';

/** Where the user's own view of a group stands. */
export interface View {
  readonly groupId: string;
  /** The own watermark; null where nothing is read. */
  readonly messageId: string | null;
  readonly revision: number;
  /** The newest message; null where there is none. */
  readonly head: string | null;
  readonly unread: Readonly<Unread>;
}

/** How many have read and received a message. */
export interface Receipt {
  readonly messageId: string;
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
  /** False where the audience is empty. */
  readonly readByAll: boolean;
}

export interface Badge {
  /** The groups with something unread. */
  readonly groups: number;
  /** The unread messages in them. */
  readonly messages: number;
  /** False where there may be more. */
  readonly exact: boolean;
}

/** `idle` without listeners, `live` once the service has sent the current state, and `connecting` between. */
export type Connection = 'idle' | 'connecting' | 'live';

/** What is known. It is immutable: an equal part of a later snapshot is the same object. */
export interface Snapshot {
  readonly connection: Connection;
  /** The own views by group. */
  readonly views: ReadonlyMap<string, View>;
  /** The receipts of the messages that listeners asked for, by group and message. */
  readonly receipts: ReadonlyMap<string, ReadonlyMap<string, Receipt>>;
  readonly badge: Badge;
}

/** A view as a frame carries it, with the time in ms at which it was read. */
interface StampedView extends View {
  readonly asOf: number;
}

interface Group {
  /** Whether the view is to be asked for. */
  isStale: boolean;
  /** As the service sent it last. */
  view: StampedView | null;
  /** Messages of others that the chat brought, and that the view does not count yet. */
  readonly noted: Set<string>;
  /** What the user has seen since the last mark unread. A message that the chat brings twice does not become unread by it. */
  seen: string | null;
}

interface WatchedReceipt {
  watchers: number;
  /** Whether it is to be asked for: it is not known, or may have changed while there was no connection. */
  isStale: boolean;
  /** Null until the service has sent it, and for a message that the service does not know. */
  receipt: Receipt | null;
  asOf: number;
}

export type Store = ReturnType<typeof createStore>;

/**
 * The state, merged from frames and answers in any order. A view is replaced by one that is later by (revision, position,
 * asOf), a receipt by one with a larger `asOf`. So repeated, reordered and lost frames do no harm.
 */
export function createStore(userId: string, changed: () => void) {
  const groups = new Map<string, Group>();
  const watched = new Map<string, Map<string, WatchedReceipt>>();
  let connection: Connection = 'idle';
  let isComplete = false;
  let latest = 0;
  let snapshot: Snapshot = { connection, views: new Map(), receipts: new Map(), badge: badge() };

  function groupOf(groupId: string): Group {
    const group = groups.get(groupId) ?? { isStale: true, view: null, noted: new Set(), seen: null };
    groups.set(groupId, group);
    return group;
  }

  function mergeView(view: StampedView): void {
    const group = groupOf(view.groupId);
    latest = Math.max(latest, view.asOf);
    group.isStale = false;
    if (group.view && !isLater(view, group.view)) return;
    if (group.view && view.revision > group.view.revision) group.seen = null;
    group.view = view;
    forgetCounted(group);
  }

  function publish(): void {
    const next: Snapshot = {
      connection,
      views: kept(snapshot.views, new Map([...groups.values()].flatMap(shownView))),
      receipts: kept(snapshot.receipts, new Map([...watched].map(shownReceipts))),
      badge: kept(snapshot.badge, badge()),
    };
    if (Object.entries(next).every(([name, value]) => snapshot[name as keyof Snapshot] === value)) return;
    snapshot = next;
    changed();
  }

  function badge(): Badge {
    const unread = [...groups.values()].map(unreadOf).filter(({ count }) => count > 0);
    return {
      groups: unread.length,
      messages: unread.reduce((sum, { count }) => sum + count, 0),
      exact: isComplete && unread.every(({ exact }) => exact),
    };
  }

  return {
    getSnapshot: () => snapshot,

    /** Where the service last said the own view is; null where that is not known. */
    viewOf: (groupId: string): View | null => groups.get(groupId)?.view ?? null,

    staleGroups: () => staleOf(groups),

    /** The messages whose receipts are to be asked for, by group. */
    staleReceipts: () => [...watched].map(([groupId, messages]) => [groupId, staleOf(messages)] as const),

    /** What is known may have changed: there was no connection. */
    expire(): void {
      for (const messages of [groups, ...watched.values()]) {
        for (const one of messages.values()) one.isStale = true;
      }
    },

    /**
     * The `asOf` of an answer to a request that is sent now: answers over HTTP have none. What it holds was read later than
     * every frame so far. Whether it was read later than a frame that comes before it is not known: then the frame counts.
     */
    stamp(): number {
      latest += 2 ** -10;
      return latest;
    },

    setConnection(to: Connection): void {
      connection = to;
      publish();
    },

    /** Merges views that were read at one time. `complete` says whether there is no other group with something unread. */
    mergeViews(views: readonly View[], asOf: number, complete?: boolean): void {
      for (const view of views) mergeView({ ...view, asOf });
      isComplete = complete ?? isComplete;
      publish();
    },

    /** Merges the answer to a mark, which has no head. */
    mergeMark(view: Omit<View, 'head'>, asOf: number): void {
      const group = groupOf(view.groupId);
      const head = laterOf(group.view?.head ?? null, view.messageId);
      // Which of the noted messages the answer counts is not known: all that it can.
      const noted = [...group.noted].filter((id) => isAbove(id, head)).length;
      const count = Math.max(view.unread.count - noted, 0);
      mergeView({ ...view, head, unread: { ...view.unread, count }, asOf });
      publish();
    },

    /** The user is no longer in the group, as of this time. */
    removeView(groupId: string, asOf: number): void {
      if ((groups.get(groupId)?.view?.asOf ?? 0) <= asOf) groups.delete(groupId);
      publish();
    },

    /** From now on, the view of the group is kept. */
    add(groupId: string): void {
      groupOf(groupId);
    },

    note(groupId: string, messageId: string, senderId: string): void {
      const group = groupOf(groupId);
      if (senderId === userId) return;
      group.noted.add(messageId);
      forgetCounted(group);
      publish();
    },

    /** The user has seen messages up to this one. */
    see(groupId: string, messageId: string): void {
      const group = groupOf(groupId);
      group.seen = laterOf(group.seen, messageId);
      forgetCounted(group);
      publish();
    },

    watchReceipt(groupId: string, messageId: string): void {
      const messages = watched.get(groupId) ?? new Map<string, WatchedReceipt>();
      watched.set(groupId, messages);
      const known = messages.get(messageId) ?? { receipt: null, asOf: -1, watchers: 0, isStale: true };
      messages.set(messageId, known);
      known.watchers += 1;
    },

    unwatchReceipt(groupId: string, messageId: string): void {
      const messages = watched.get(groupId);
      const known = messages?.get(messageId);
      if (known) known.watchers -= 1;
      if (known?.watchers === 0) messages?.delete(messageId);
      if (messages?.size === 0) watched.delete(groupId);
      publish();
    },

    /** Merges the receipts of messages that are watched. Those of others are not kept, since nothing keeps them true. */
    mergeReceipts(
      groupId: string,
      receipts: readonly (Omit<Receipt, 'readByAll'> | MessageReceipts)[],
      asOf: number,
    ): void {
      latest = Math.max(latest, asOf);
      for (const given of receipts) {
        const known = watched.get(groupId)?.get(given.messageId);
        if (!known) continue;
        known.isStale = false;
        if (known.asOf > asOf) continue;
        known.asOf = asOf;
        known.receipt = 'audience' in given ? receiptOf(given) : null;
      }
      publish();
    },
  };
}

function staleOf(all: ReadonlyMap<string, { readonly isStale: boolean }>): readonly string[] {
  return [...all].filter(([, { isStale }]) => isStale).map(([id]) => id);
}

function receiptOf({ messageId, audience, readCount, deliveredCount }: Omit<Receipt, 'readByAll'>): Receipt {
  return {
    messageId,
    audience,
    readCount,
    deliveredCount,
    readByAll: audience > 0 && readCount === audience,
  };
}

function isLater(a: StampedView, b: StampedView): boolean {
  const order =
    a.revision - b.revision ||
    compareIds(a.messageId, b.messageId) ||
    a.asOf - b.asOf ||
    compareIds(a.head, b.head);
  return order > 0;
}

/** Forgets the notes of messages that are read, or among those that the view counts. */
function forgetCounted({ view, noted, seen }: Group): void {
  const bound = [view?.messageId ?? null, view?.head ?? null, seen].reduce(laterOf);
  for (const id of noted) if (!isAbove(id, bound)) noted.delete(id);
}

function unreadOf({ view, noted }: Pick<Group, 'view' | 'noted'>): Unread {
  const { count = 0, mentions = 0, firstId, exact = true }: Partial<Unread> = view?.unread ?? {};
  return {
    count: exact ? count + noted.size : count,
    mentions,
    firstId: firstId ?? [...noted].sort(compareIds)[0] ?? null,
    exact,
  };
}

function shownView({ view, noted }: Group): [string, View][] {
  if (!view) return [];
  const { groupId, messageId, revision } = view;
  const head = [...noted].reduce(laterOf, view.head);
  return [[groupId, { groupId, messageId, revision, head, unread: unreadOf({ view, noted }) }]];
}

function shownReceipts([groupId, messages]: [string, ReadonlyMap<string, WatchedReceipt>]) {
  const known = [...messages].flatMap(([id, { receipt }]): [string, Receipt][] =>
    receipt ? [[id, receipt]] : [],
  );
  return [groupId, new Map(known)] as const;
}

/** `after`, but `before` itself where it is equal, and so with each part: what has not changed stays the same object. */
function kept<T>(before: T | undefined, after: T): T {
  if (!(after instanceof Map))
    return JSON.stringify(before) === JSON.stringify(after) ? (before ?? after) : after;
  const old: ReadonlyMap<unknown, unknown> = before instanceof Map ? before : new Map();
  let isSame = old.size === after.size;
  for (const [key, value] of after) {
    after.set(key, kept(old.get(key), value));
    isSame &&= old.get(key) === after.get(key);
  }
  return isSame ? (before ?? after) : after;
}
