import type { Change, View } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isSame, type Membership, type MembershipState } from '../domain/membership.ts';
import { earlierOf, laterOf, type Position } from '../domain/position.ts';
import { join } from './members.ts';
import { headChange } from './message-window.ts';
import { memberIn, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/** Who may mark: `strict` is members alone; in `open` a user's first mark makes them a member. */
export type MembershipMode = 'strict' | 'open';

/** What a mark makes of a membership. It clamps the positions that it was asked for. */
export interface Movement {
  readonly requested: readonly Position[];
  readonly apply: (membership: Membership, clamp: Clamp, at: number) => Membership;
  /** Whether what the cache holds looks too old to decide from. */
  readonly isDoubtful?: (cached: Membership) => boolean;
}

/** The position that one asked for counts as. */
export type Clamp = (position: Position) => Position;

export interface Moved {
  readonly membership: Membership;
  readonly changed: boolean;
  readonly clamped: boolean;
  /** What the cache told last; null where it did not answer. */
  readonly view: View | null;
}

/** Moves a membership forward. Null where the user is no member, and does not become one. */
export async function moveForward(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  mode: MembershipMode,
  movement: Movement,
): Promise<Moved | null> {
  const { ledger, cache, nowMs } = stores;
  const { requested, apply, isDoubtful = () => false } = movement;
  const view = await cache.read(groupId, userId, requested.reduce(laterOf));
  const cached = memberIn(view);
  const isTrusted = cached !== null && !isDoubtful(cached);
  const [{ clamp, news }, known] = await Promise.all([
    clampTo(stores, groupId, requested, view?.head ?? null),
    isTrusted ? cached : readMember(stores, groupId, userId),
  ]);
  const clamped = requested.some((position) => clamp(position) !== position);

  const at = nowMs();
  const forward = (current: MembershipState | null) =>
    current?.kind === 'member' ? apply(current, clamp, at) : current;
  const tell = (state: MembershipState) =>
    cache.mergeFor(groupId, userId, [{ kind: 'member', userId, state }, ...news]);
  let believed = known;
  // The second time for who was believed a member and had left: in an open group the mark makes it one again.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    believed ??= mode === 'open' ? await join(stores, groupId, userId) : null;
    if (!believed) return null;
    if (isSame(believed, apply(believed, clamp, at))) {
      return {
        membership: believed,
        changed: false,
        clamped,
        view: isTrusted ? view : view && (await tell(believed)),
      };
    }
    const { state, changed } = await ledger.memberships.change(userId, groupId, forward, believed);
    // Told also where it did not answer before: it may be back, and another instance may read from it by now.
    const merged = state && (await tell(state));
    if (state?.kind === 'member') return { membership: state, changed, clamped, view: merged };
    believed = null;
  }
  return null;
}

/**
 * A position at or below the cached head is one below the true head too; any other is compared with the ledger's,
 * since a clamp made from an old head could not be taken back. With it comes what that told, for the cache.
 */
async function clampTo(
  { ledger }: Stores,
  groupId: GroupId,
  requested: readonly Position[],
  cachedHead: Position | null,
): Promise<{ readonly clamp: Clamp; readonly news: readonly Change[] }> {
  if (cachedHead && requested.every((position) => position <= cachedHead)) {
    return { clamp: (position) => position, news: [] };
  }
  const head = await ledger.messages.readHead(groupId);
  return { clamp: (position) => (head ? earlierOf(position, head) : position), news: [headChange(head)] };
}
