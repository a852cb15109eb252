import type { IncomingMessage } from 'node:http';
import { commonLogTime } from '../gateway/payload.ts';
import { newId } from './handshake.ts';

/** What an authorizer says of a caller: who it is, and what its functions receive of it, as texts. */
export interface AuthorizerContext {
  readonly principalId: string;
  readonly integrationLatency: number;
  readonly [name: string]: string | number;
}

/** What is known of a connection from its handshake on. */
export interface Client {
  readonly connectionId: string;
  readonly connectedAtMs: number;
  readonly apiId: string;
  readonly stage: string;
  /** The name under which the client called. */
  readonly domainName: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  /** Null where the API has no authorizer. */
  readonly authorizer: AuthorizerContext | null;
}

interface Happening {
  readonly requestId: string;
  readonly routeKey: string;
  readonly eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT';
}

/**
 * The context of every event of a WebSocket API
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html).
 */
function contextOf(client: Client, { requestId, routeKey, eventType }: Happening, more: object) {
  const { connectionId, connectedAtMs, apiId, stage, domainName, sourceIp, userAgent, authorizer } = client;
  const now = new Date();
  return {
    routeKey,
    ...(authorizer && { authorizer }),
    ...more,
    eventType,
    extendedRequestId: requestId,
    requestTime: commonLogTime(now),
    messageDirection: 'IN',
    stage,
    connectedAt: connectedAtMs,
    requestTimeEpoch: now.getTime(),
    identity: { sourceIp, ...(userAgent && { userAgent }) },
    requestId,
    domainName,
    connectionId,
    apiId,
  };
}

/** What `$connect`'s function receives. */
export function connectEvent(client: Client, request: IncomingMessage, requestId: string) {
  return {
    ...headersOf(request),
    ...queryOf(request),
    requestContext: contextOf(client, { requestId, routeKey: '$connect', eventType: 'CONNECT' }, {}),
    isBase64Encoded: false,
  };
}

/**
 * What an authorizer receives of a handshake
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html).
 */
export function authorizerEvent(
  client: Client,
  request: IncomingMessage,
  requestId: string,
  methodArn: string,
) {
  return {
    type: 'REQUEST',
    methodArn,
    ...headersOf(request),
    queryStringParameters: {},
    multiValueQueryStringParameters: {},
    ...queryOf(request),
    stageVariables: {},
    requestContext: contextOf(client, { requestId, routeKey: '$connect', eventType: 'CONNECT' }, {}),
  };
}

/** What the function of a route receives of a message. */
export function messageEvent(client: Client, routeKey: string, requestId: string, body: string) {
  return {
    requestContext: contextOf(client, { requestId, routeKey, eventType: 'MESSAGE' }, { messageId: newId() }),
    body,
    isBase64Encoded: false,
  };
}

/** What `$disconnect`'s function receives after a connection has ended with this code of RFC 6455. */
export function disconnectEvent(client: Client, requestId: string, code: number, reason: string) {
  const headers = { Host: client.domainName, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' };
  return {
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    requestContext: contextOf(
      client,
      { requestId, routeKey: '$disconnect', eventType: 'DISCONNECT' },
      { disconnectStatusCode: code, disconnectReason: reason },
    ),
    isBase64Encoded: false,
  };
}

/** Names are as the client wrote them, for which Node.js has them in pairs with the values. */
function headersOf({ rawHeaders, socket }: IncomingMessage) {
  const given: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    given.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
  }
  const forwarded: [string, string][] = [
    ['X-Forwarded-For', socket.remoteAddress ?? '127.0.0.1'],
    ['X-Forwarded-Port', String(socket.localPort ?? 0)],
    ['X-Forwarded-Proto', 'http'],
  ];
  return valuesByName([...given, ...forwarded], 'headers', 'multiValueHeaders');
}

function queryOf({ url = '' }: IncomingMessage) {
  const [, query = ''] = url.split('?');
  if (query === '') return {};
  return valuesByName(
    [...new URLSearchParams(query)],
    'queryStringParameters',
    'multiValueQueryStringParameters',
  );
}

/** Of a name with several values, the one map has the last and the other has all. */
function valuesByName(pairs: readonly [string, string][], last: string, all: string) {
  const lists = Map.groupBy(pairs, ([name]) => name);
  return {
    [last]: Object.fromEntries(pairs),
    [all]: Object.fromEntries([...lists].map(([name, list]) => [name, list.map(([, value]) => value)])),
  };
}
