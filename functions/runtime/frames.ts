import * as v from 'valibot';
import { schemasOf } from '../../shared/contract/endpoint.ts';
import * as frames from '../../shared/contract/frames.ts';
import { FUNCTION_PROBLEMS } from '../../shared/contract/problems.ts';
import type { FrameErrorCode, ServerFrame } from '../../shared/contract/server-frames.ts';
import { invalidFields, notFound, TidemarkError } from '../../shared/domain/errors.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import type { Connection } from '../../shared/ledger/connections.ts';
import type { Table } from '../../shared/ledger/table.ts';
import type { Live } from '../../shared/live/live.ts';
import { sync } from '../../shared/live/sync.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { inTime, type TimeLeft } from './in-time.ts';
import { parseJsonBody } from './json-body.ts';
import { logFailure } from './log-failure.ts';
import { answerMarkDelivered, answerMarkRead, answerMarkUnread } from './mark-answers.ts';
import { problemOf } from './problem.ts';
import type { Call, Reply } from './serve.ts';
import { validate } from './validate.ts';

type Ref = v.InferOutput<typeof frames.ref>;
type Fields = Readonly<Record<string, unknown>>;

/** A frame as it came, and the user who sent it. */
export interface SentFrame {
  readonly context: TimeLeft;
  readonly text: string | undefined;
  readonly requestId: string;
  readonly caller: Connection & { readonly userId: UserId };
}

type Routes = typeof frames.routeActions;

interface RouteAnswerer<Action extends frames.RouteAction> {
  readonly schemas: ReturnType<typeof schemasOf>;
  readonly answer: (tidemark: Tidemark, call: Call<Routes[Action]>) => Promise<Reply<number, object> | null>;
}

const ANSWERERS: { readonly [Action in frames.RouteAction]: RouteAnswerer<Action> } = {
  mark: { schemas: schemasOf(frames.routeActions.mark), answer: answerMarkRead },
  delivered: { schemas: schemasOf(frames.routeActions.delivered), answer: answerMarkDelivered },
  unread: { schemas: schemasOf(frames.routeActions.unread), answer: answerMarkUnread },
};

const ACTIONS = [frames.sync.action, ...Object.keys(ANSWERERS), frames.PING].join(', ');

const syncFields = v.strictObject(frames.sync.fields);
const refField = v.strictObject({ ref: frames.ref });

/**
 * Answers a frame that a client sent. A frame that cannot be read gets an `error`, and changes nothing. What a route would
 * refuse gets an `answer` with the status and the problem of the route. What is not done before the function's deadline is
 * unavailable, as for a route.
 */
export async function answerFrame(
  live: Live & { readonly table: Table },
  { text, requestId, caller, context }: SentFrame,
): Promise<ServerFrame> {
  let ref: Ref | null = null;
  try {
    const { action, ...fields } = fieldsIn(text);
    ref = refIn(fields);
    if (action === frames.sync.action) {
      const { groups = null } = validate(syncFields, fields);
      return { ...(await inTime(context, () => sync(live, live.table, caller, groups))), ref };
    }
    if (!isRouteAction(action))
      throw invalidFields([{ path: 'action', message: `must be one of ${ACTIONS}` }]);
    const { ref: given, ...call } = fields;
    const valid = validate(refField, 'ref' in fields ? { ref: given } : {});
    return {
      type: 'answer',
      ref: valid.ref,
      ...(await answerAsRoute(live.tidemark, action, call, requestId, caller.userId, context)),
    };
  } catch (error) {
    logFailure('a frame failed', { requestId }, error);
    return errorFrame(error, ref);
  }
}

function fieldsIn(text: string | undefined): Fields {
  // A frame has no content type: it is JSON, or it is refused.
  const value = parseJsonBody({ text, isBase64: false, contentType: 'application/json' });
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalidFields([{ path: '', message: 'must be a JSON object' }]);
}

/** Null if there is none, or not a valid one: an error then has none either. */
function refIn({ ref }: Fields): Ref | null {
  const parsed = v.safeParse(frames.ref, ref);
  return parsed.success ? parsed.output : null;
}

function isRouteAction(action: unknown): action is frames.RouteAction {
  return typeof action === 'string' && Object.hasOwn(ANSWERERS, action);
}

/** Status and body of the route that does the same. */
async function answerAsRoute<Action extends frames.RouteAction>(
  tidemark: Tidemark,
  action: Action,
  { groupId, ...body }: Fields,
  requestId: string,
  userId: UserId,
  context: TimeLeft,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const { schemas, answer }: RouteAnswerer<Action> = ANSWERERS[action];
  try {
    const place = validate(schemas.path, groupId === undefined ? {} : { groupId }, 'parameter');
    const call = { ...validate(schemas.body, body), ...place, userId };
    const reply = await inTime(context, () => answer(tidemark, call as unknown as Call<Routes[Action]>));
    if (!reply) throw notFound('you are');
    return { status: reply.status, body: { ...reply.body } };
  } catch (error) {
    logFailure('a frame failed', { requestId }, error);
    const problem = problemOf(error, requestId);
    return { status: problem.status, body: problem };
  }
}

/** A fault of the service says nothing of the inside. */
function errorFrame(error: unknown, ref: Ref | null): ServerFrame {
  const known = error instanceof TidemarkError ? error : null;
  return {
    type: 'error',
    code: known ? (known.code as FrameErrorCode) : 'internal',
    detail: known?.message ?? `${FUNCTION_PROBLEMS.internal.title}. The frame may be sent again.`,
    ...(ref !== null && { ref }),
  };
}
