import type { View } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isSame, type Membership, type MembershipState } from '../domain/membership.ts';
import { earlierOf, type Position } from '../domain/position.ts';
import { join } from './members.ts';
import { memberIn, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/** Who may mark: `strict` is members alone; in `open` a user's first mark makes them a member. */
export type MembershipMode = 'strict' | 'open';

/** How a membership moves. */
export interface Move {
  /** The positions as they were asked for; `apply` gets them clamped to the head, in this order. */
  readonly requested: readonly Position[];
  readonly apply: (membership: Membership, positions: readonly Position[], at: number) => Membership;
  /** Whether what the cache holds looks too old to decide from. */
  readonly isDoubtful?: (cached: Membership) => boolean;
}

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
  movement: Move,
): Promise<Moved | null> {
  const { ledger, cache, nowMs } = stores;
  const { requested, apply, isDoubtful = () => false } = movement;
  const view = await cache.read(groupId, userId);
  const cached = memberIn(view);
  const [positions, known] = await Promise.all([
    clamp(stores, groupId, requested, view?.head ?? null),
    cached && !isDoubtful(cached) ? cached : readMember(stores, groupId, userId),
  ]);
  const clamped = positions.some((position, index) => position !== requested[index]);
  const believed = known ?? (mode === 'open' ? await join(stores, groupId, userId) : null);
  if (!believed) return null;

  const at = nowMs();
  const forward = (current: MembershipState | null) =>
    current?.kind === 'member' ? apply(current, positions, at) : current;
  if (isSame(believed, apply(believed, positions, at))) {
    return { membership: believed, changed: false, clamped, view };
  }
  const { state, changed } = await ledger.memberships.change(userId, groupId, forward, believed);
  if (state?.kind !== 'member') {
    return mode === 'open' && known ? moveForward(stores, groupId, userId, mode, movement) : null;
  }
  // Told also where it did not answer before: it may be back, and another instance may read from it by now.
  const merged = await cache.mergeFor(groupId, userId, [{ kind: 'member', userId, state }]);
  return { membership: state, changed, clamped, view: merged };
}

/**
 * The positions that marks count as. A position at or below the cached head is one below the true head too; any
 * other is compared with the ledger's, since a clamp made from an old head could not be taken back.
 */
async function clamp(
  { ledger }: Stores,
  groupId: GroupId,
  requested: readonly Position[],
  cachedHead: Position | null,
): Promise<readonly Position[]> {
  if (cachedHead && requested.every((position) => position <= cachedHead)) return requested;
  const head = await ledger.messages.readHead(groupId);
  return head ? requested.map((position) => earlierOf(position, head)) : requested;
}
