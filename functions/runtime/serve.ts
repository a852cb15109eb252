import middy, { type MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';
import type * as v from 'valibot';
import { callUntil } from '../../shared/aws/deadline.ts';
import { type Request, schemasOf, type Taken } from '../../shared/contract/endpoint.ts';
import type { AnswersOf } from '../../shared/contract/endpoints.ts';
import { invalidFields, notFound } from '../../shared/domain/errors.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { callerOf, type Event, scopesAsked } from './access.ts';
import { ANSWERING_MS, notInTime } from './in-time.ts';
import { parseJsonBody } from './json-body.ts';
import { logFailure } from './log-failure.ts';
import { type Answer, problemAnswer } from './problem.ts';
import { validate } from './validate.ts';

export interface Reply<Status extends number, Body> {
  readonly status: Status;
  /** Undefined if the answer has no body. */
  readonly body: Body;
}

type RepliesOf<Answers> = {
  [Status in keyof Answers & number]: Reply<
    Status,
    Answers[Status] extends v.GenericSchema ? v.InferOutput<Answers[Status]> : never
  >;
}[keyof Answers & number];

/** The answers of an endpoint in the contract. An endpoint that is not in the contract may answer anything. */
export type ReplyOf<R extends Request> = [AnswersOf<R['name']>] extends [never]
  ? Reply<number, unknown>
  : RepliesOf<AnswersOf<R['name']>>;

/**
 * The values of a call. For an endpoint of users, `userId` is the user of the token or the one whom a back end names.
 */
export type Call<R extends Request> = Taken<R> &
  (R['who'] extends 'user' ? { readonly userId: UserId } : unknown);

/**
 * Returns the Lambda of an endpoint. It checks and reads the request, and answers errors as problems. A request that is
 * not answered half a second before the function's timeout gets a 503. Its work ends there and cannot go on beside a later
 * request: its calls under way fail, and it makes no others. As after any 503, a write under way may have been made.
 *
 * @param answer returns null if there is no such group for the user
 */
export function serve<const R extends Request>(
  endpoint: R,
  answer: (call: Call<R>) => Promise<ReplyOf<R> | null>,
) {
  const schemas = schemasOf(endpoint);
  const handler = middy<Event, Answer>({
    timeoutEarlyInMillis: ANSWERING_MS,
    timeoutEarlyResponse: () => {
      throw notInTime();
    },
  })
    .use(problems())
    .handler(async (event, _context, { signal }) => {
      const { call, isAboutCaller } = callIn(endpoint, schemas, event);
      const reply = await callUntil(signal, () => answer(call));
      if (!reply) throw notFound(isAboutCaller ? 'you are' : 'the user is');
      return answerOf(reply);
    });
  /** Handles a request that is refused before it reads or writes anything. */
  const rehearse = () => handler(refusedRequest(schemas), {} as Context);
  return Object.assign(handler, { rehearse });
}

export function reply<const Status extends number, Body>(status: Status, body: Body): Reply<Status, Body> {
  return { status, body };
}

export function ok<Body>(body: Body): Reply<200, Body> {
  return reply(200, body);
}

export const noContent = reply(204, undefined);

function answerOf({ status, body }: Reply<number, unknown>): Answer {
  if (body === undefined) return { statusCode: status };
  return {
    statusCode: status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}

type Schemas = ReturnType<typeof schemasOf>;

/** A request of an allowed caller, with valid path parameters and a body that every endpoint refuses. */
function refusedRequest({ path }: Schemas): Event {
  const { user = '', service = '' } = scopesAsked();
  const payload = Buffer.from(JSON.stringify({ scope: `${user} ${service}` })).toString('base64url');
  return {
    headers: { authorization: `Bearer e30.${payload}.e30`, 'content-type': 'application/json' },
    // Valid as a group, a user and a message.
    pathParameters: Object.fromEntries(Object.keys(path.entries).map((name) => [name, '1'])),
    rawQueryString: '',
    body: '{"":null}',
    isBase64Encoded: false,
    requestContext: { authorizer: { jwt: { claims: {}, scopes: null } }, requestId: '', routeKey: '' },
  } as unknown as Event;
}

function callIn<R extends Request>(
  { who }: R,
  { path, query, body, isBodyOptional }: Schemas,
  event: Event,
): { readonly call: Call<R>; readonly isAboutCaller: boolean } {
  // First, so that a call that is not allowed costs nothing more.
  const caller = callerOf(event, who);
  const { userId, ...parameters } = validate(path, event.pathParameters ?? {}, 'parameter') as {
    readonly userId?: UserId;
  };
  const taken = {
    ...validate(query, queryOf(event), 'parameter'),
    ...bodyOf(body, isBodyOptional, event),
    ...parameters,
  };
  const isAboutCaller = who === 'user' && userId === undefined;
  const user = who === 'user' ? (userId ?? caller()) : userId;
  return { call: { ...taken, ...(user && { userId: user }) } as unknown as Call<R>, isAboutCaller };
}

function bodyOf<T>(schema: v.GenericSchema<unknown, T>, isOptional: boolean, event: Event): T {
  const value = parseJsonBody({
    text: event.body,
    isBase64: event.isBase64Encoded,
    contentType: event.headers['content-type'],
  });
  // For Valibot an array is an object, and a valid one if every field is optional.
  if (Array.isArray(value)) throw invalidFields([{ path: '', message: 'must be a JSON object' }]);
  if (value !== undefined) return validate(schema, value);
  if (!isOptional) throw invalidFields([{ path: '', message: 'a JSON body is required' }]);
  return validate(schema, {});
}

/**
 * Reads the query parameters as they were sent, and refuses repeated ones. API Gateway joins repeated ones with a
 * comma: then they look like one parameter with a comma in it.
 */
function queryOf({ rawQueryString }: Event): Record<string, string> {
  const parameters = new Map<string, string>();
  const repeated = new Set<string>();
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    if (parameters.has(name)) repeated.add(name);
    parameters.set(name, value);
  }
  if (repeated.size > 0) {
    throw invalidFields([...repeated].map((path) => ({ path, message: 'is given more than once' })));
  }
  return Object.fromEntries(parameters);
}

function problems(): MiddlewareObj<Event, Answer> {
  return {
    onError: (request) => {
      const { error, event } = request;
      const { requestId, routeKey } = event.requestContext;
      logFailure('a request failed', { route: routeKey, requestId }, error);
      request.response = problemAnswer(error, requestId);
    },
  };
}
