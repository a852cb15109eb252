import type { APIGatewayProxyEventV2, APIGatewayProxyEventV2WithJWTAuthorizer } from 'aws-lambda';
import type { Who } from '../../shared/contract/endpoint.ts';
import { SERVICE_SCOPE, USER_SCOPE } from '../../shared/contract/environment.ts';
import { TidemarkError } from '../../shared/domain/errors.ts';
import { parseUserId, type UserId } from '../../shared/domain/ids.ts';

export type Event = APIGatewayProxyEventV2 | APIGatewayProxyEventV2WithJWTAuthorizer;

type Jwt = APIGatewayProxyEventV2WithJWTAuthorizer['requestContext']['authorizer']['jwt'];

/** API Gateway accepts a token with or without the scheme. It joins repeated headers with a comma. */
const ONE_TOKEN = /^(?:Bearer +)?[\w-]+\.([\w-]+)\.[\w-]+$/i;

/**
 * Checks the caller whom the gateway let in. Throws `forbidden` if the route is not for this kind of caller. Returns a
 * function that returns the user of the token, and throws `forbidden` if the token has none.
 *
 * The gateway has verified the token, but passes all claims as text: 42 and null arrive as "42" and "null". Only the
 * token's own payload has their types. A payload may also name a claim twice: its value counts only if the gateway has
 * read the same value.
 */
export function callerOf(event: Event, who: Who = 'anyone'): () => UserId {
  const { jwt, iam } = authorizerOf(event);
  const payload = jwt ? payloadOf(event.headers.authorization) : null;
  const scopes = payload ? scopesOf(payload) : [];
  if (jwt) refuseOddScopes(scopes, jwt.scopes);
  const isAboutAnother = event.pathParameters?.userId !== undefined;
  if (who === 'service' || (who === 'user' && isAboutAnother)) {
    refuseUsers(scopes, iam !== undefined);
  } else if (who === 'user') {
    refuseBackEnds(payload !== null, scopes);
  }
  return () => subjectOf(payload && payload.sub === jwt?.claims.sub ? payload.sub : null);
}

/**
 * The user of a verified token. Throws `forbidden` where the token is not a user's, by the same rules as for a route of
 * users.
 */
export function userOf(payload: Payload): UserId {
  refuseBackEnds(true, scopesOf(payload));
  return subjectOf(payload.sub);
}

function subjectOf(claim: unknown): UserId {
  const subject = parseUserId(claim);
  if (!subject) throw forbidden("The token's subject is not a user id of this service.");
  return subject;
}

/** Empty if the route has no authorizer. */
function authorizerOf({ requestContext }: Event): { readonly jwt?: Jwt; readonly iam?: unknown } {
  return ('authorizer' in requestContext ? requestContext.authorizer : undefined) ?? {};
}

/**
 * The scopes of the two kinds of callers, as the deployment chose them. Reading them at each call costs nothing.
 *
 * The gateway has already checked them, with one exception: if users need no scope, it also accepts a back end's token,
 * whose subject would then become a user.
 */
export function scopesAsked(): { readonly user: string | undefined; readonly service: string | undefined } {
  const { [USER_SCOPE]: user, [SERVICE_SCOPE]: service } = process.env;
  return { user, service };
}

/** A back end's token has the scope for back ends. If the deployment has no such scope, back ends sign their calls. */
function refuseUsers(scopes: readonly string[], isSigned: boolean): void {
  const { service } = scopesAsked();
  if (service === undefined ? isSigned : scopes.includes(service)) return;
  throw forbidden('This route is for back ends.');
}

/**
 * A user's token has the scope for users. If the deployment has no such scope, it is any token that is not a back
 * end's.
 */
function refuseBackEnds(hasToken: boolean, scopes: readonly string[]): void {
  if (!hasToken) throw forbidden('This route is for users, who show a token.');
  const { user, service } = scopesAsked();
  if (user !== undefined) {
    if (!scopes.includes(user)) throw forbidden('This route is for users.');
  } else if (service !== undefined && scopes.includes(service)) {
    throw forbidden("The token is a back end's. Its routes are those under /v1/users/{userId}.");
  }
}

type Payload = Readonly<Record<string, unknown>>;

function payloadOf(authorization: string | undefined): Payload {
  const [, encoded] = ONE_TOKEN.exec(authorization ?? '') ?? [];
  const payload = encoded === undefined ? null : parse(Buffer.from(encoded, 'base64url').toString());
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw forbidden('The token cannot be read.');
  }
  return payload as Payload;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Checks again what the gateway checked: it may accept a nested list as a list of texts. */
function refuseOddScopes(held: readonly string[], taken: Jwt['scopes'] | null): void {
  // Empty if the route needs no scope.
  if (taken && taken.length > 0 && !taken.some((one) => held.includes(one))) {
    throw forbidden('The token does not contain the scope for which the gateway accepted it.');
  }
}

function scopesOf({ scope, scp }: Payload): string[] {
  return [scope, scp].filter((claim) => claim !== undefined).flatMap(scopesIn);
}

function scopesIn(claim: unknown): string[] {
  const scopes: unknown[] =
    typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [null];
  if (scopes.every((one) => typeof one === 'string')) return scopes;
  throw forbidden("The token's scope is neither text nor a list of texts.");
}

function forbidden(detail: string): TidemarkError {
  return new TidemarkError('forbidden', detail);
}
