import { isUnavailable } from '../domain/errors.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import type { Mark, MarkOutcome } from '../domain/mark.ts';
import type { Position } from '../domain/position.ts';
import { moveForward } from './move-forward.ts';
import type { Tidemark } from './tidemark.ts';

export interface GroupMark extends Mark {
  readonly groupId: GroupId;
}

export type GroupOutcome =
  | {
      readonly outcome: 'advanced' | 'unchanged' | 'conflict';
      /** The position of the own view afterwards; for a delivered mark, that of the delivered register. */
      readonly position: Position;
      readonly revision: number;
      readonly clamped: boolean;
    }
  | { readonly outcome: 'not_found' | 'failed' };

/** Groups of one batch that are marked at the same time. */
const CONCURRENT_GROUPS = 10;

/**
 * Marks several groups. Returns one outcome for each mark, in their order. The marks of one group apply one after the
 * other, in one write. A group that fails does not affect the others.
 */
export async function markGroups(
  tidemark: Tidemark,
  userId: UserId,
  marks: readonly GroupMark[],
): Promise<GroupOutcome[]> {
  const groups = [...Map.groupBy(marks, ({ groupId }) => groupId)];
  const outcomes = new Map<GroupMark, GroupOutcome>();
  await inParallel(groups, CONCURRENT_GROUPS, async ([groupId, ofGroup]) => {
    const reached = await markGroup(tidemark, { groupId, userId }, ofGroup).catch((error: unknown) => {
      const failed = failedOutcome(error);
      return () => failed;
    });
    for (const [index, mark] of ofGroup.entries()) outcomes.set(mark, reached(index));
  });
  return marks.map((mark) => outcomes.get(mark) ?? { outcome: 'failed' });
}

async function markGroup(
  tidemark: Tidemark,
  member: Member,
  marks: readonly Mark[],
): Promise<(index: number) => GroupOutcome> {
  const moved = await moveForward(tidemark, member, marks);
  return moved ? (index) => outcomeOf(moved.outcomes[index]) : () => ({ outcome: 'not_found' });
}

export function outcomeOf(reached: MarkOutcome | undefined): GroupOutcome {
  if (!reached) throw new Error('a mark of a batch has no outcome');
  const { moved, isConflict, position, revision, clamped } = reached;
  const outcome = isConflict ? 'conflict' : moved ? 'advanced' : 'unchanged';
  return { outcome, position, revision, clamped };
}

export function failedOutcome(error: unknown): GroupOutcome {
  console[isUnavailable(error) ? 'warn' : 'error']({
    message: 'a mark of a batch failed',
    error: loggedError(error),
  });
  return { outcome: 'failed' };
}
