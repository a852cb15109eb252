import { TidemarkError } from '../domain/errors.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import type { Mark, MarkOutcome } from '../domain/mark.ts';
import type { Position } from '../domain/position.ts';
import { type MembershipMode, moveForward } from './move-forward.ts';
import type { Stores } from './stores.ts';

export interface GroupMark extends Mark {
  readonly groupId: GroupId;
}

export type GroupOutcome =
  | {
      readonly outcome: 'advanced' | 'unchanged' | 'conflict';
      /** Where the own view then stands, or what is delivered where the mark is about that. */
      readonly position: Position;
      readonly revision: number;
      readonly clamped: boolean;
    }
  | { readonly outcome: 'not_found' | 'failed' };

/** Groups marked at once in one batch. */
const CONCURRENT_GROUPS = 10;

/**
 * Marks several groups. Each mark has its own outcome, in the order of the marks. Marks of one group apply one after the
 * other, in one write. No group's failure touches another's.
 */
export async function markGroups(
  stores: Stores,
  userId: UserId,
  marks: readonly GroupMark[],
  mode: MembershipMode,
): Promise<GroupOutcome[]> {
  const groups = [...Map.groupBy(marks, ({ groupId }) => groupId)];
  const outcomes = new Map<GroupMark, GroupOutcome>();
  await inParallel(groups, CONCURRENT_GROUPS, async ([groupId, ofGroup]) => {
    const reached = await markGroup(stores, groupId, userId, ofGroup, mode).catch(failed);
    for (const [index, mark] of ofGroup.entries()) outcomes.set(mark, reached(index));
  });
  return marks.map((mark) => outcomes.get(mark) ?? { outcome: 'failed' });
}

async function markGroup(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  marks: readonly Mark[],
  mode: MembershipMode,
): Promise<(index: number) => GroupOutcome> {
  const moved = await moveForward(stores, groupId, userId, mode, marks);
  return moved ? (index) => outcomeOf(moved.outcomes[index]) : () => ({ outcome: 'not_found' });
}

function outcomeOf(reached: MarkOutcome | undefined): GroupOutcome {
  if (!reached) throw new Error('a mark of a batch has no outcome');
  const { moved, isConflict, position, revision, clamped } = reached;
  const outcome = isConflict ? 'conflict' : moved ? 'advanced' : 'unchanged';
  return { outcome, position, revision, clamped };
}

function failed(error: unknown): () => GroupOutcome {
  const isExpected = error instanceof TidemarkError && error.code === 'unavailable';
  console[isExpected ? 'warn' : 'error']({ message: 'a mark of a batch failed', error: loggedError(error) });
  return () => ({ outcome: 'failed' });
}
