import { inParallel } from '../concurrency/in-parallel.ts';
import { TidemarkError } from '../domain/errors.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { advance } from '../domain/membership.ts';
import { laterOf, type Position } from '../domain/position.ts';
import { type MembershipMode, moveForward } from './move-forward.ts';
import type { Stores } from './stores.ts';

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
  const moved = await moveForward(stores, groupId, userId, mode, {
    requested: readings.map(({ position }) => position),
    apply: (membership, clamp, at) =>
      readings.reduce(
        (reached, { isPrivate, position }) =>
          advance(reached, clamp(position), at, { isPrivate, ifRevision: null }),
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
