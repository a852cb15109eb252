import type { APIGatewayProxyEventV2, APIGatewayProxyEventV2WithJWTAuthorizer } from 'aws-lambda';
import { TidemarkError } from '../domain/errors.ts';
import { parseUserId, type UserId } from '../domain/ids.ts';

export type Event = APIGatewayProxyEventV2 | APIGatewayProxyEventV2WithJWTAuthorizer;

type Jwt = APIGatewayProxyEventV2WithJWTAuthorizer['requestContext']['authorizer']['jwt'];

/** API Gateway takes a token with and without the scheme. Headers that were sent twice are joined by a comma. */
const ONE_TOKEN = /^(?:Bearer +)?[\w-]+\.([\w-]+)\.[\w-]+$/i;

/**
 * Whom the gateway let in: returns the one who asks for the user of the token. Throws `forbidden` where the token
 * cannot have been meant for that.
 *
 * The gateway has verified the token, but hands all claims over as text: 42 and null arrive as "42" and "null". Which
 * types they have only the token's own payload tells. And a payload may name a claim twice: what it says counts only
 * where the gateway has read the same.
 */
export function callerOf(event: Event): () => UserId {
  const jwt = jwtOf(event);
  const payload = jwt && payloadOf(event.headers.authorization);
  if (payload) refuseOddScopes(payload, jwt.scopes);
  return () => {
    const subject = payload && payload.sub === jwt.claims.sub ? parseUserId(payload.sub) : null;
    if (!subject) throw forbidden("The token's subject is not a user id of this service.");
    return subject;
  };
}

/** Null where the route asks for no token, or where another kind of authorizer let the caller in. */
function jwtOf({ requestContext }: Event): Jwt | null {
  const authorizer: { readonly jwt?: Jwt } | undefined =
    'authorizer' in requestContext ? requestContext.authorizer : undefined;
  return authorizer?.jwt ?? null;
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

/** A second line of defence behind the gateway, which may take a nested list for a list of texts. */
function refuseOddScopes({ scope, scp }: Payload, taken: Jwt['scopes'] | null): void {
  const held = [scope, scp].filter((claim) => claim !== undefined).flatMap(scopesIn);
  // Empty where the route asks for none.
  if (taken && taken.length > 0 && !taken.some((one) => held.includes(one))) {
    throw forbidden('The token does not hold the scope that it was let in for.');
  }
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
