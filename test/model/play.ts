import type { Json } from '../support/running-stack.ts';
import { describeExpected, isFields, type Span } from './agreement.ts';
import { describeOperation } from './describe-operation.ts';
import { distinct, explain, isLeftOut, type Played } from './explain.ts';
import { EMPTY, type State, viewOf } from './model.ts';
import type { History, OperationRequest, TimelineFact } from './operations.ts';
import { type AnswerPieces, SILENT, WHOLE } from './part.ts';
import { partsOf } from './parts.ts';
import { requestsOf } from './requests.ts';
import type { Rules } from './rules.ts';

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
