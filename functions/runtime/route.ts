import middy, { type MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';
import * as v from 'valibot';
import { invalidFields, TidemarkError } from '../../shared/domain/errors.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { loggedError } from '../../shared/domain/logged-error.ts';
import { callerOf, type Event, type RouteFor, scopesAsked } from './access.ts';
import { parseJsonBody } from './json-body.ts';
import { type Answer, problemAnswer } from './problem.ts';
import { validate } from './validate.ts';

type Schema<T> = v.GenericSchema<unknown, T>;

/** A schema of an object, however it was written: a route makes it strict. */
type Parameters<T> = Schema<T> & { readonly entries: v.ObjectEntries };

/** What a route takes: its path parameters, query parameters and body. A parameter that is not named is refused. */
export interface RouteInput<P, Q, B> {
  readonly params?: Parameters<P>;
  readonly query?: Parameters<Q>;
  /** `v.optional(schema, {})` where the body may be left out, which is then `{}`. Without a schema there is none. */
  readonly body?: Schema<B>;
}

export interface Request<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The user whom the token speaks for. Throws `forbidden` where its subject cannot be a user id. */
  readonly caller: () => UserId;
}

/**
 * A Lambda behind one or more routes: reads and checks the request, and answers errors as problems.
 *
 * @param routeFor whom it refuses, should the gateway have let the wrong kind of caller in
 */
export function route<P = unknown, Q = unknown, B = unknown>(
  input: RouteInput<P, Q, B>,
  answer: (request: Request<P, Q, B>) => Promise<Answer>,
  routeFor: RouteFor = 'anyone',
) {
  const schemas: Schemas<P, Q, B> = {
    params: strict(input.params),
    query: strict(input.query),
    body: input.body ?? (v.optional(v.strictObject({})) as unknown as Schema<B>),
  };
  const handler = middy<Event, Answer>()
    .use(problems())
    .handler(async (event) => answer(requestOf(schemas, event, routeFor)));
  /** Handles a request that is refused before anything is asked or written. */
  const rehearse = () => handler(refusedRequest(input.params), {} as Context);
  return Object.assign(handler, { rehearse });
}

/** A Lambda behind routes that back ends alone may call. */
export function serviceRoute<P = unknown, Q = unknown, B = unknown>(
  input: RouteInput<P, Q, B>,
  answer: (request: Request<P, Q, B>) => Promise<Answer>,
) {
  return route(input, answer, 'service');
}

/** A request of somebody who may ask, with good parameters, and a body that no route takes. */
function refusedRequest(params: Parameters<unknown> | undefined): Event {
  const names = Object.keys(params?.entries ?? {});
  const { user = '', service = '' } = scopesAsked();
  const payload = Buffer.from(JSON.stringify({ scope: `${user} ${service}` })).toString('base64url');
  return {
    headers: { authorization: `Bearer e30.${payload}.e30`, 'content-type': 'application/json' },
    // Good as a group, a user and a message.
    pathParameters: Object.fromEntries(names.map((name) => [name, '1'])),
    rawQueryString: '',
    body: '{"":null}',
    isBase64Encoded: false,
    requestContext: { authorizer: { jwt: { claims: {}, scopes: null } }, requestId: '', routeKey: '' },
  } as unknown as Event;
}

export function ok(body: unknown, statusCode = 200): Answer {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}

export const noContent: Answer = { statusCode: 204 };

interface Schemas<P, Q, B> {
  readonly params: Schema<P>;
  readonly query: Schema<Q>;
  readonly body: Schema<B>;
}

function strict<T>(parameters: Parameters<T> | undefined): Schema<T> {
  return v.strictObject(parameters?.entries ?? {}) as unknown as Schema<T>;
}

function requestOf<P, Q, B>(
  { params, query, body }: Schemas<P, Q, B>,
  event: Event,
  routeFor: RouteFor,
): Request<P, Q, B> {
  // First of all, so that nothing is spent on what may not be asked.
  const caller = callerOf(event, routeFor);
  return {
    params: validate(params, event.pathParameters ?? {}, 'parameter'),
    query: validate(query, queryOf(event), 'parameter'),
    body: bodyOf(body, event),
    caller,
  };
}

function bodyOf<B>(schema: Schema<B>, event: Event): B {
  const value = parseJsonBody({
    text: event.body,
    isBase64: event.isBase64Encoded,
    contentType: event.headers['content-type'],
  });
  // An object to Valibot, and a valid one where every field is optional.
  if (Array.isArray(value)) throw invalidFields([{ path: '', message: 'must be a JSON object' }]);
  if (value !== undefined) return validate(schema, value);
  const absent = v.safeParse(schema, undefined);
  if (!absent.success) throw invalidFields([{ path: '', message: 'a JSON body is required' }]);
  return absent.output;
}

/**
 * The query parameters as they were sent. API Gateway joins repeated ones with a comma, after which they cannot be told
 * from one with a comma in it: so they are read here, and repeated ones are refused.
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
      const isExpected = error instanceof TidemarkError;
      const asked = { route: routeKey, requestId };
      if (!isExpected) console.error({ message: 'a request failed', ...asked, error: loggedError(error) });
      else if (error.code === 'unavailable')
        console.warn({ message: 'the ledger is unavailable', ...asked, error: loggedError(error.cause) });
      request.response = problemAnswer(error, requestId);
    },
  };
}
