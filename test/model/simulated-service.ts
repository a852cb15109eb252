import type { Json } from '../support/running-stack.ts';
import {
  ANYTHING,
  type Expected,
  Moment,
  OneOf,
  Optional,
  Revision,
  SOME_BOOLEAN,
  SOME_ERRORS,
  SOME_TEXT,
} from './expected.ts';
import { EMPTY, groupOf, viewOf, withGroup } from './model.ts';
import { possibleBy } from './overtaking.ts';
import { type AnswerPieces, SILENT } from './part.ts';
import { partsOf } from './parts.ts';
import type { Service } from './play.ts';
import { RULES, type Rules } from './rules.ts';

/**
 * A service that follows the model, and chooses if the contract leaves a choice. It is fast, and shows that the model
 * agrees with itself and that a model with other rules does not.
 */
export function simulatedService({
  appliesLater,
  revisionStep = 2,
}: {
  readonly appliesLater: boolean;
  /** How far above the earlier revisions a later membership begins. */
  readonly revisionStep?: number;
}): Service {
  const rules: Rules = {
    ...RULES,
    revisionOnJoining: (above) => (above === null ? 0 : above + revisionStep),
  };
  let state = EMPTY;
  const times: string[] = [];

  const answerFor = (expected: Expected): Json => {
    if (expected === SOME_TEXT) return 'some text';
    if (expected === SOME_BOOLEAN) return appliesLater;
    if (expected === ANYTHING) return null;
    if (expected === SOME_ERRORS) return [{ path: 'some path', message: 'some message' }];
    if (expected instanceof Optional) return answerFor(expected.expected);
    if (expected instanceof OneOf) return answerFor(expected.alternatives[0]);
    if (expected instanceof Revision) {
      const { key, above, raises } = expected;
      const first = Number(state.learned[key] ?? above + revisionStep);
      state = { ...state, learned: { ...state.learned, [key]: first } };
      return first + raises;
    }
    if (expected instanceof Moment) return times[expected.operation] ?? null;
    if (expected === null || typeof expected !== 'object') return expected as Json;
    if (Array.isArray(expected)) return expected.map((item: Expected) => answerFor(item));
    return Object.fromEntries(Object.entries(expected).map(([name, field]) => [name, answerFor(field)]));
  };

  const run = (operation: Parameters<Service['perform']>[0], number: number): AnswerPieces => {
    const seen: Record<string, Json> = {};
    times[number] ??= new Date().toISOString();
    for (const part of partsOf(operation, number, rules)) {
      const groupId = part.groupId ?? '';
      const groups = part.isAboutAll ? state.groups : [groupOf(state, groupId)];
      for (const group of groups) {
        const applied = possibleBy(group, part.touches, rules).at(-1);
        if (applied !== undefined && appliesLater && group.groupId !== '') state = withGroup(state, applied);
      }
      const [outcome] = part.run(state, viewOf(state, groupId));
      if (outcome === undefined) continue;
      state = outcome.next;
      const isAnswered = part.piece !== SILENT && !(part.follows && !hasBody(seen));
      if (isAnswered) seen[part.piece] = answerFor(outcome.expected);
    }
    return seen;
  };
  /** The answer has no state of the caller if the group does not exist for it. */
  const hasBody = (seen: AnswerPieces) => !JSON.stringify(seen).includes('not_found');
  return {
    perform: async (operation, number) => run(operation, number),
    observe: async (operation, number) => run(operation, number),
  };
}
