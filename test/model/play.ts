import type { Json } from '../support/running-stack.ts';
import { agree, describeExpected, isFields, type Span } from './agreement.ts';
import { WATCHER } from './choices.ts';
import { nameOf } from './facts.ts';
import {
  EMPTY,
  groupOf,
  memberOf,
  type Rules,
  revisionOf,
  type State,
  type View,
  viewOf,
  withGroup,
} from './model.ts';
import {
  describeOperation,
  factsOf,
  type History,
  type IfRevision,
  type Operation,
  type OperationRequest,
  type TimelineFact,
} from './operations.ts';
import { possibleBy } from './overtaking.ts';
import { type Part, SILENT, WHOLE } from './part.ts';
import { partsOf } from './parts.ts';

/** The pieces of an answer. */
export type AnswerPieces = { readonly [piece: string]: Json };

/** The service that a history is played on, with its own users and groups. */
export interface Service {
  /** Performs the operation and returns the pieces of its answer. */
  perform(operation: OperationRequest, number: number): Promise<AnswerPieces>;
  /** Returns what users now see of earlier facts. */
  observe(operation: OperationRequest, number: number): Promise<AnswerPieces>;
}

/** The service and the model do not agree. The message has a line for each operation up to there. */
export class Disagreement extends Error {
  override readonly name = 'Disagreement';
  /** The steps up to the disagreement. */
  readonly history: History;
  /** The service was too busy for one of the operations: its last answers promise nothing of it. */
  readonly isUnavailable: boolean;

  constructor(message: string, history: History, isUnavailable: boolean) {
    super(message);
    this.history = history;
    this.isUnavailable = isUnavailable;
  }
}

/** With more states than this, the model or the answers do not distinguish states enough. */
const MAX_STATES = 2_000;

interface Played {
  readonly operation: OperationRequest;
  readonly number: number;
  readonly seen: AnswerPieces;
}
/**
 * Plays a history and compares every answer with the model's. Parallel operations agree if some order of their parts
 * gives their answers. If several orders do, all are kept until an answer decides. Facts go over the bus, so
 * their effect is read again until it agrees, for at most `factsWithinMs`. Returns the number of compared operations.
 */
export async function play(
  service: Service,
  history: History,
  rules: Rules,
  factsWithinMs: number,
): Promise<number> {
  /** The facts that were put on the bus so far, by group. */
  const putBefore = new Map<string, TimelineFact[]>();
  const spans: Span[] = [];
  const spanOf = (number: number) => spans[number] ?? { from: 0, to: 0 };
  const lines: string[] = [];
  let states: readonly State[] = [EMPTY];
  let next = 0;
  for (const [at, step] of history.entries()) {
    for (const operations of requestsOf(step, states[0] ?? EMPTY, putBefore)) {
      const first = next;
      next += operations.length;
      const performAll = (see: Service['perform']) =>
        Promise.all(
          operations.map(async (operation, index): Promise<Played> => {
            const number = first + index;
            const from = spans[number]?.from ?? Date.now();
            const seen = await see(operation, number);
            spans[number] = { from, to: Date.now() };
            return { operation, number, seen };
          }),
        );
      const compare = (played: readonly Played[]) =>
        states.flatMap((state) => explain(state, played, rules, spanOf));
      let played = await performAll(service.perform);
      let after = compare(played);
      const deadline = performance.now() + factsWithinMs;
      while (after.length === 0 && takeEffectLater(operations) && performance.now() < deadline) {
        played = await performAll(service.observe);
        after = compare(played);
      }
      lines.push(...played.map((one) => lineOf(one, operations.length > 1)));
      if (after.length === 0) {
        throw new Disagreement(
          [...lines, ...states.slice(0, 3).map((state) => describeModelAnswers(state, played, rules))].join(
            '\n',
          ),
          history.slice(0, at + 1),
          played.some(({ seen }) => Object.values(seen).some(isRefusal)),
        );
      }
      states = distinct(after);
      if (states.length > MAX_STATES) throw new Error(`too many states are possible:\n${lines.join('\n')}`);
    }
  }
  return next;
}

/** Whether the piece says that the service could not take the request now: it may be sent again. */
const isRefusal = (piece: Json) => isFields(piece) && (piece.status === 503 || piece.outcome === 'failed');

const takeEffectLater = (operations: readonly OperationRequest[]) =>
  operations.some(({ kind }) => kind === 'facts');

/** The step in the form that is performed: with the current revisions, and with facts in an order with a promised result. */
function requestsOf(
  step: readonly Operation[],
  state: State,
  putBefore: Map<string, TimelineFact[]>,
): readonly OperationRequest[][] {
  const [first] = step;
  if (first?.kind === 'facts') {
    const rounds = inWaves(first.facts, putBefore.get(first.groupId) ?? []);
    putBefore.set(first.groupId, [...(putBefore.get(first.groupId) ?? []), ...rounds.flat()]);
    return rounds.map((facts) => [factsOf(first.groupId, facts)]);
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

function lineOf({ operation, number, seen }: Played, isAtOnce: boolean): string {
  const pieces = Object.entries(seen).map(([piece, value]) => {
    if (piece !== WHOLE || !isFields(value)) return `${piece}: ${JSON.stringify(value)}`;
    const { status, body, ...rest } = value;
    return `${status} ${JSON.stringify(body ?? rest)}`;
  });
  return `${number}. ${isAtOnce ? '(at once) ' : ''}${describeOperation(operation)} → ${pieces.join('; ')}`;
}

/** The model's answers to the operations, one after the other in their written order. */
function describeModelAnswers(state: State, played: readonly Played[], rules: Rules): string {
  const pieces: string[] = [];
  let current = state;
  for (const { operation, number, seen } of played) {
    for (const part of partsOf(operation, number, rules)) {
      const [outcome] = part.run(current, viewOf(current, part.groupId ?? ''));
      if (outcome === undefined) continue;
      current = outcome.next;
      if (part.piece === SILENT || isLeftOut(part, seen)) continue;
      pieces.push(`   ${number}. ${part.piece}: ${describeExpected(outcome.expected, current.learned)}`);
    }
  }
  const head =
    played.length === 1 ? 'expected:' : 'no order explains these answers; in the order above expected:';
  return [head, ...pieces].join('\n');
}

const isLeftOut = ({ follows, piece }: Part, seen: AnswerPieces) =>
  follows && piece !== SILENT && seen[piece] === undefined;

const textOf = (value: unknown) =>
  JSON.stringify(value, (_name, value) => (typeof value === 'bigint' ? value.toString() : value));

const keyOf = (state: State) => textOf(state);

const distinct = (states: readonly State[]) => [
  ...new Map(states.map((state) => [keyOf(state), state])).values(),
];

/** Every possible state after the operations, given their answers. None if they disagree. */
function explain(
  start: State,
  played: readonly Played[],
  rules: Rules,
  spanOf: (operation: number) => Span,
): readonly State[] {
  const parts = played.flatMap(({ operation, number, seen }) =>
    partsOf(operation, number, rules)
      .filter((part) => !isLeftOut(part, seen))
      .map((part): Answered => ({ part, seen: seen[part.piece] })),
  );
  // No rule connects two groups, so each is explained separately.
  const groupIds = new Set(parts.map(({ part }) => part.groupId));
  let states: readonly State[] = [start];
  for (const groupId of groupIds) {
    const ofGroup = parts.filter(({ part }) => part.groupId === groupId);
    const views = played.length === 1 ? undefined : viewsOf(start, groupId, played, rules);
    const after = (state: State, answered: Answered) => statesAfter(state, answered, views, rules, spanOf);
    states = distinct(
      states.flatMap((state) =>
        played.length === 1 ? inOrder(state, ofGroup, after) : inAnyOrder(state, ofGroup, after),
      ),
    );
  }
  return states;
}

interface Answered {
  readonly part: Part;
  readonly seen: Json | undefined;
}

type After = (state: State, answered: Answered) => States;

/** The states after a part. */
interface States {
  readonly found: readonly State[];
  /** The part only read: nothing is new except what was learned from it. */
  readonly isOnlySeen: boolean;
}

/**
 * The states after a part: one for each way in which it gives the answer. A mark that overtook its message may have
 * been applied by then. For a part that only reads, this is tried only if nothing else explains the answer: it can
 * still be tried later.
 */
function statesAfter(
  state: State,
  { part, seen }: Answered,
  views: readonly View[] | undefined,
  rules: Rules,
  spanOf: (operation: number) => Span,
): States {
  const { groupId } = part;
  const after = (start: State): State[] => {
    const found: State[] = [];
    const { deletions } = groupOf(start, groupId ?? '');
    for (const view of views ?? [viewOf(start, groupId ?? '')]) {
      if (view.deletions < deletions) continue;
      for (const { next, expected } of part.run(start, view)) {
        const learned = part.piece === SILENT ? next.learned : agree(expected, seen, next.learned, spanOf);
        if (learned !== null) found.push(learned === next.learned ? next : { ...next, learned });
      }
    }
    return found;
  };
  const [first = state, ...others] = possibleStates(state, part, rules);
  const found = after(first);
  if (!part.changes && found.length > 0) return { found, isOnlySeen: true };
  return { found: [...found, ...others.flatMap(after)], isOnlySeen: false };
}

/** The possible states before a part: marks that overtook their messages were applied by then, or not. */
function possibleStates(
  state: State,
  { groupId, isAboutAll, touches }: Part,
  rules: Rules,
): readonly State[] {
  const groups = isAboutAll ? state.groups : groupId === null ? [] : [groupOf(state, groupId)];
  let possible: readonly State[] = [state];
  for (const group of groups) {
    const [, ...applied] = possibleBy(group, touches, rules);
    possible = [
      ...possible,
      ...possible.flatMap((sofar) => applied.map((changed) => withGroup(sofar, changed))),
    ];
  }
  return possible;
}

function inOrder(start: State, parts: readonly Answered[], after: After): readonly State[] {
  let states: readonly State[] = [start];
  for (const answered of parts) states = states.flatMap((state) => after(state, answered).found);
  return states;
}

function inAnyOrder(start: State, parts: readonly Answered[], after: After): readonly State[] {
  const finals: State[] = [];
  const visited = new Set<string>();
  const visit = (state: State, open: readonly number[]): void => {
    const key = `${open.join(' ')} ${keyOf(state)}`;
    if (visited.has(key)) return;
    visited.add(key);
    if (open.length === 0) finals.push(state);
    const due = open.flatMap((index) => {
      const answered = parts[index];
      const waits = answered?.part.follows === true && open.includes(index - 1);
      return answered === undefined || waits ? [] : [{ index, answered }];
    });
    const without = (index: number) => open.filter((other) => other !== index);
    const tried: { readonly index: number; readonly found: readonly State[] }[] = [];
    // A part that only reads and agrees now need not be tried later: it does not affect the others.
    for (const { index, answered } of due) {
      if (answered.part.changes) continue;
      const { found, isOnlySeen } = after(state, answered);
      const [seen] = found;
      if (isOnlySeen && seen !== undefined) {
        visit(seen, without(index));
        return;
      }
      tried.push({ index, found });
    }
    for (const { index, answered } of due) {
      if (answered.part.changes) tried.push({ index, found: after(state, answered).found });
    }
    for (const { index, found } of tried) {
      for (const next of found) visit(next, without(index));
    }
  };
  visit(start, [...parts.keys()]);
  return finals;
}

/**
 * What an operation may see of a group's messages while these are recorded and deleted: the head and the messages are
 * read one after the other, and need not be of one moment. Undefined if none of them changes.
 */
function viewsOf(
  start: State,
  groupId: string | null,
  played: readonly Played[],
  rules: Rules,
): readonly View[] | undefined {
  const changes = played.flatMap(({ operation, number }) =>
    partsOf(operation, number, rules).filter((part) => part.changesMessages && part.groupId === groupId),
  );
  if (groupId === null || changes.length === 0) return undefined;
  const moments = new Map<string, State>();
  const visited = new Set<string>();
  const visit = (state: State, open: readonly Part[]): void => {
    const key = keyOf(state);
    const way = `${open.map((part) => changes.indexOf(part)).join(' ')} ${key}`;
    if (visited.has(way)) return;
    visited.add(way);
    moments.set(key, state);
    for (const part of open) {
      for (const { next } of part.run(state, viewOf(state, groupId))) {
        visit(
          next,
          open.filter((other) => other !== part),
        );
      }
    }
  };
  visit(start, changes);
  const groups = [...moments.values()].map((state) => groupOf(state, groupId));
  // Of equal ones the last stays: no part is after more deletions than it.
  const byDeletions = groups.toSorted((a, b) => a.deletions - b.deletions);
  const heads = [...new Map(byDeletions.map((group) => [group.head, group])).values()];
  const messages = [...new Map(byDeletions.map((group) => [textOf(group.messages), group])).values()];
  return heads.flatMap((before) =>
    heads.flatMap((after) =>
      messages.map((seen) => ({
        headBefore: before.head,
        head: after.head,
        messages: seen.messages,
        deletions: Math.min(before.deletions, after.deletions, seen.deletions),
      })),
    ),
  );
}
