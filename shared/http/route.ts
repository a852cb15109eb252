import middy, { type MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyEventV2WithJWTAuthorizer } from 'aws-lambda';
import * as v from 'valibot';
import { invalidFields, TidemarkError } from '../domain/errors.ts';
import { parseUserId, type UserId } from '../domain/ids.ts';
import { parseJsonBody } from './json-body.ts';
import { type Answer, problemAnswer } from './problem.ts';
import { validate } from './validate.ts';

type Schema<T> = v.GenericSchema<unknown, T>;

/** What a route takes: its path parameters, query parameters and body. Whatever is not named is refused. */
export interface RouteInput<P, Q, B> {
  readonly params?: Schema<P>;
  readonly query?: Schema<Q>;
  readonly body?: Schema<B>;
}

export interface Request<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The user whom the token speaks for. Throws `forbidden` where its subject cannot be a user id. */
  readonly caller: () => UserId;
}

type Event = APIGatewayProxyEventV2 | APIGatewayProxyEventV2WithJWTAuthorizer;

/** A Lambda behind one or more routes: reads and checks the request, and answers errors as problems. */
export function route<P = unknown, Q = unknown, B = unknown>(
  input: RouteInput<P, Q, B>,
  answer: (request: Request<P, Q, B>) => Promise<Answer>,
) {
  return middy<Event, Answer>()
    .use(problems())
    .handler(async (event) => answer(requestOf(input, event)));
}

export function ok(body: unknown, statusCode = 200): Answer {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}

export const noContent: Answer = { statusCode: 204 };

function requestOf<P, Q, B>({ params, query, body }: RouteInput<P, Q, B>, event: Event): Request<P, Q, B> {
  refuseRepeatedParameters(event.rawQueryString);
  return {
    params: validate(params ?? (v.unknown() as Schema<P>), event.pathParameters ?? {}),
    query: validate(query ?? (v.unknown() as Schema<Q>), event.queryStringParameters ?? {}),
    body: bodyOf(body, event),
    caller: () => callerOf(event),
  };
}

function bodyOf<B>(schema: Schema<B> | undefined, event: Event): B {
  const value = parseJsonBody({
    text: event.body,
    isBase64: event.isBase64Encoded,
    contentType: event.headers['content-type'],
  });
  if (schema && value === undefined) throw invalidFields([{ path: '', message: 'a JSON body is required' }]);
  return validate(schema ?? (v.optional(v.strictObject({})) as unknown as Schema<B>), value);
}

/** API Gateway joins repeated parameters with a comma, after which they cannot be told from one with a comma in it. */
function refuseRepeatedParameters(rawQueryString: string): void {
  const names = [...new URLSearchParams(rawQueryString).keys()];
  const repeated = names.filter((name, index) => names.indexOf(name) < index);
  if (repeated.length > 0) {
    throw invalidFields([...new Set(repeated)].map((path) => ({ path, message: 'is given more than once' })));
  }
}

function callerOf(event: Event): UserId {
  const context = event.requestContext;
  const subject = 'authorizer' in context ? parseUserId(context.authorizer.jwt.claims.sub) : null;
  if (!subject) throw new TidemarkError('forbidden', "The token's subject is not a user id of this service.");
  return subject;
}

function problems(): MiddlewareObj<Event, Answer> {
  return {
    onError: (request) => {
      const { error, event } = request;
      const isExpected = error instanceof TidemarkError;
      if (!isExpected) console.error({ message: 'a request failed', error });
      else if (error.code === 'unavailable')
        console.warn({ message: 'the ledger is unavailable', cause: error.cause });
      request.response = problemAnswer(error, event.requestContext.requestId);
    },
  };
}
