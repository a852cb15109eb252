import type { Json } from '../support/running-stack.ts';
import { agree, type Span } from './agreement.ts';
import { groupOf, type State, type View, viewOf, withGroup } from './model.ts';
import type { OperationRequest } from './operations.ts';
import { possibleBy } from './overtaking.ts';
import { type AnswerPieces, type Part, SILENT } from './part.ts';
import { partsOf } from './parts.ts';
import type { Rules } from './rules.ts';

/** An operation and its answer. */
export interface Played {
  readonly operation: OperationRequest;
  readonly number: number;
  readonly seen: AnswerPieces;
}

/** Every possible state after the operations, given their answers. None if they disagree. */
export function explain(
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

/** Whether the part did not run: it follows one that failed, and the answer has no piece for it. */
export const isLeftOut = ({ follows, piece }: Part, seen: AnswerPieces) =>
  follows && piece !== SILENT && seen[piece] === undefined;

const textOf = (value: unknown) =>
  JSON.stringify(value, (_name, value) => (typeof value === 'bigint' ? value.toString() : value));

const keyOf = (state: State) => textOf(state);

export const distinct = (states: readonly State[]) => [
  ...new Map(states.map((state) => [keyOf(state), state])).values(),
];
