import { WATCHER } from './choices.ts';
import { nameOf } from './facts.ts';
import { groupOf, memberOf, revisionOf, type State } from './model.ts';
import {
  factsOf,
  type IfRevision,
  type Operation,
  type OperationRequest,
  type Step,
  type TimelineFact,
} from './operations.ts';

/**
 * The step as it is performed: with the current revisions, and with facts in an order with a promised result. Facts are
 * added to those that were put on the bus before, by group.
 */
export function requestsOf(
  step: Step,
  state: State,
  putBefore: Map<string, TimelineFact[]>,
): readonly OperationRequest[][] {
  const [first] = step;
  if (first?.kind === 'facts') {
    const before = putBefore.get(first.groupId) ?? [];
    const waves = inWaves(first.facts, before);
    putBefore.set(first.groupId, [...before, ...waves.flat()]);
    return waves.map((facts) => [factsOf(first.groupId, facts)]);
  }
  return [step.map((operation) => withRevisions(operation, state))];
}

/** Joins each group of facts first, since only a member can read receipts. */
const WATCHER_JOINS: TimelineFact = {
  kind: 'joined',
  userId: WATCHER,
  at: -1,
  joinedAfter: undefined,
  round: 0,
};

/**
 * Messages sent before a join without `joinedAfter` are put on the bus before it, and awaited: if one arrived after
 * it, it would be unread. Of earlier rounds only the facts of then are repeated.
 */
function inWaves(
  facts: readonly TimelineFact[],
  before: readonly TimelineFact[],
): readonly (readonly TimelineFact[])[] {
  const round = Math.max(...facts.map((fact) => fact.round));
  const known = new Set(before.map(nameOf));
  const putNow = facts.filter((fact) => fact.round === round || known.has(nameOf(fact)));
  const lastJoin = Math.max(
    ...putNow.map((fact) => (fact.kind === 'joined' && fact.joinedAfter === undefined ? fact.at : -1)),
  );
  const early = putNow.filter(
    (fact) => fact.kind === 'sent' && fact.at <= lastJoin && !known.has(nameOf(fact)),
  );
  const waves = early.length === 0 ? [putNow] : [early, putNow];
  return waves.map((wave) => [WATCHER_JOINS, ...wave]);
}

function withRevisions(operation: Operation, state: State): OperationRequest {
  if (operation.kind === 'mark') {
    return { ...operation, ifRevision: revisionNow(operation.ifRevision, operation, state) };
  }
  if (operation.kind !== 'mark several') return operation;
  const { userId } = operation;
  return {
    ...operation,
    marks: operation.marks.map((mark) => ({
      ...mark,
      ifRevision: revisionNow(mark.ifRevision, { userId, groupId: mark.groupId }, state),
    })),
  };
}

/** 0 if there is no such revision, or no answer has had it. */
function revisionNow(
  ifRevision: IfRevision | undefined,
  { userId, groupId }: { userId: string; groupId: string },
  state: State,
): number | undefined {
  if (ifRevision === undefined || typeof ifRevision === 'number') return ifRevision;
  const group = groupOf(state, groupId);
  const member =
    ifRevision === 'current'
      ? memberOf(group, userId)
      : group.former.findLast((former) => former.userId === userId);
  return (member && revisionOf(member, state.learned)) ?? 0;
}
