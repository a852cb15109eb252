import type { APIGatewayEventWebsocketRequestContextV2 } from 'aws-lambda';
import { SUBPROTOCOL, TOKEN_PREFIX } from '../../shared/contract/frames.ts';
import { isUnavailable } from '../../shared/domain/errors.ts';
import { parseUserId, type UserId } from '../../shared/domain/ids.ts';
import { loggedError } from '../../shared/domain/logged-error.ts';
import type { Connection } from '../../shared/ledger/connections.ts';
import { inTime, type TimeLeft } from './in-time.ts';

/** An event of a connection. The authorizer's context comes with each one. */
export interface ConnectionEvent {
  readonly requestContext: Pick<
    APIGatewayEventWebsocketRequestContextV2,
    'connectionId' | 'connectedAt' | 'requestId' | 'routeKey'
  > & { readonly authorizer?: Readonly<Record<string, unknown>> | undefined };
}

/** Who is connected, and until when. Throws if the authorizer's context is missing, because then the user is not known. */
export function connectionOf({ requestContext }: ConnectionEvent): Connection & { readonly userId: UserId } {
  const { connectionId, connectedAt: connectedAtMs, authorizer } = requestContext;
  const userId = parseUserId(authorizer?.userId);
  // The gateway passes numbers on as text.
  const tokenExpiresAtMs = Number(authorizer?.tokenExpiresAtMs);
  if (!userId || !Number.isSafeInteger(tokenExpiresAtMs)) {
    throw new Error('the event of a connection has no context of its authorizer');
  }
  return { userId, connectionId, connectedAtMs, tokenExpiresAtMs };
}

/**
 * The token among the subprotocols that a client asks for. null unless there is exactly one token, and Tidemark's own
 * subprotocol beside it.
 */
export function tokenIn(headers: Readonly<Record<string, string | undefined>>): string | null {
  const protocols = Object.entries(headers)
    .filter(([name]) => name.toLowerCase() === 'sec-websocket-protocol')
    .flatMap(([, value = '']) => value.split(','))
    .map((protocol) => protocol.trim());
  const [token, ...others] = protocols.filter((protocol) => protocol.startsWith(TOKEN_PREFIX));
  if (!protocols.includes(SUBPROTOCOL) || token === undefined || others.length > 0) return null;
  return token.slice(TOKEN_PREFIX.length);
}

interface Status {
  readonly statusCode: number;
}

/**
 * Runs the handling of a connection. What fails is logged, and becomes the status with which API Gateway refuses it: 503
 * also where the handling does not end before the function's deadline.
 */
export async function statusAfter<S extends Status>(
  { requestContext }: ConnectionEvent,
  context: TimeLeft,
  run: () => Promise<S>,
): Promise<S | Status> {
  try {
    return await inTime(context, run);
  } catch (error) {
    const isExpected = isUnavailable(error);
    const { routeKey: route, requestId } = requestContext;
    console[isExpected ? 'warn' : 'error']({
      message: 'a connection could not be handled',
      route,
      requestId,
      error: loggedError(error),
    });
    return { statusCode: isExpected ? 503 : 500 };
  }
}
