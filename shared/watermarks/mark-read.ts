import type { View } from '../cache/group-cache.ts';
import { inParallel } from '../concurrency/in-parallel.ts';
import { TidemarkError } from '../domain/errors.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import {
  advance,
  deliver,
  isSame,
  type Membership,
  type MembershipState,
  PLAIN_READING,
  type Reading,
} from '../domain/membership.ts';
import { earlierOf, laterOf, type Position } from '../domain/position.ts';
import { join } from './members.ts';
import { completeView, memberIn, type OwnView, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/** Who may mark: `strict` is members alone; in `open` a user's first mark makes them a member. */
export type MembershipMode = 'strict' | 'open';

export interface Marked {
  readonly view: OwnView;
  /** This mark moved a register. */
  readonly advanced: boolean;
  /** The mark was beyond the head, and counts as one of the head. */
  readonly clamped: boolean;
  /** `ifRevision` was not the current revision, so that the own view did not move. */
  readonly isConflict: boolean;
}

/**
 * Marks a group read up to a message: cache read, ledger write, cache merge, each one call. Where the cache already
 * stands there, the first call is the last. Null where the user is no member. Once this returns, the ledger holds
 * the mark; it throws `unavailable` where the ledger would not take it.
 */
export async function markRead(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  requested: Position,
  mode: MembershipMode,
  reading: Reading = PLAIN_READING,
): Promise<Marked | null> {
  const { ifRevision } = reading;
  const moved = await move(stores, groupId, userId, mode, {
    requested: [requested],
    isDoubtful: ({ self }) => ifRevision !== null && ifRevision !== self.revision,
    apply: (membership, [position = requested], at) => advance(membership, position, at, reading),
  });
  if (!moved) return null;
  const view = await completeView(stores, groupId, userId, moved.membership, moved.view);
  const isConflict = ifRevision !== null && ifRevision !== moved.membership.self.revision;
  return { view, advanced: moved.changed, clamped: moved.clamped, isConflict };
}

export interface Delivered {
  readonly position: Position;
  readonly advanced: boolean;
  readonly clamped: boolean;
}

/** Marks a group delivered up to a message, in the same calls as `markRead`. Null where the user is no member. */
export async function markDelivered(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  requested: Position,
  mode: MembershipMode,
): Promise<Delivered | null> {
  const moved = await move(stores, groupId, userId, mode, {
    requested: [requested],
    apply: (membership, [position = requested], at) => deliver(membership, position, at),
  });
  return (
    moved && {
      position: moved.membership.delivered.position,
      advanced: moved.changed,
      clamped: moved.clamped,
    }
  );
}

export interface GroupMark {
  readonly groupId: GroupId;
  readonly position: Position;
  readonly isPrivate: boolean;
}

export type GroupOutcome =
  | { readonly outcome: 'advanced' | 'unchanged'; readonly position: Position }
  | { readonly outcome: 'not_found' | 'failed' };

/** Groups marked at once in one batch. */
const CONCURRENT_GROUPS = 10;

/**
 * Marks several groups read. Each has its own outcome, in the order of the marks; those of the same group are one
 * mark with one outcome. No group's failure touches another's.
 */
export async function markGroups(
  stores: Stores,
  userId: UserId,
  marks: readonly GroupMark[],
  mode: MembershipMode,
): Promise<GroupOutcome[]> {
  const groups = [...Map.groupBy(marks, ({ groupId }) => groupId)];
  const outcomes = await inParallel(groups, CONCURRENT_GROUPS, async ([groupId, ofGroup]) => {
    const outcome = await markGroup(stores, groupId, userId, ofGroup, mode).catch(failed);
    return [groupId, outcome] as const;
  });
  const byGroup = new Map(outcomes);
  return marks.map(({ groupId }) => byGroup.get(groupId) ?? { outcome: 'failed' });
}

async function markGroup(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  marks: readonly GroupMark[],
  mode: MembershipMode,
): Promise<GroupOutcome> {
  const readings = [false, true].flatMap((isPrivate) => {
    const positions = marks.filter((mark) => mark.isPrivate === isPrivate).map(({ position }) => position);
    return positions.length > 0 ? [{ isPrivate, position: positions.reduce(laterOf) }] : [];
  });
  const moved = await move(stores, groupId, userId, mode, {
    requested: readings.map(({ position }) => position),
    apply: (membership, positions, at) =>
      readings.reduce(
        (reached, { isPrivate }, index) =>
          advance(reached, positions[index] as Position, at, { isPrivate, ifRevision: null }),
        membership,
      ),
  });
  if (!moved) return { outcome: 'not_found' };
  return { outcome: moved.changed ? 'advanced' : 'unchanged', position: moved.membership.self.position };
}

function failed(error: unknown): GroupOutcome {
  const isExpected = error instanceof TidemarkError && error.code === 'unavailable';
  console[isExpected ? 'warn' : 'error']({ message: 'a mark of a batch failed', error });
  return { outcome: 'failed' };
}

/** How a membership moves. */
interface Move {
  /** The positions as they were asked for; `apply` gets them clamped to the head, in this order. */
  readonly requested: readonly Position[];
  readonly apply: (membership: Membership, positions: readonly Position[], at: number) => Membership;
  /** Whether what the cache holds looks too old to decide from. */
  readonly isDoubtful?: (cached: Membership) => boolean;
}

interface Moved {
  readonly membership: Membership;
  readonly changed: boolean;
  readonly clamped: boolean;
  /** What the cache told last; null where it did not answer. */
  readonly view: View | null;
}

/** Moves a membership forward. Null where the user is no member, and does not become one. */
async function move(
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
    return mode === 'open' && known ? move(stores, groupId, userId, mode, movement) : null;
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
