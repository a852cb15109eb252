import type { IncomingMessage } from 'node:http';
import { ACCOUNT_ID } from '../cloudformation/template.ts';
import type { IamAuthorization } from './iam-authorizer.ts';
import type { Authorization } from './jwt-authorizer.ts';

export interface ProxyRequest {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly routeKey: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly authorization: Authorization | IamAuthorization | null;
}

const TEXT_TYPE = /^(text\/|application\/(json|javascript|xml|problem\+json)|.*\+(json|xml))/i;

/**
 * The event that an HTTP API sends to a function, in payload format 2.0
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
 */
export function proxyEvent(proxied: ProxyRequest) {
  const { request, requestId, routeKey, rawPath, rawQuery, parameters, body, authorization } = proxied;
  const headers = headersOf(request);
  const now = new Date();
  const isText = TEXT_TYPE.test(headers['content-type'] ?? '');
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString: rawQuery,
    headers,
    ...(rawQuery && { queryStringParameters: queryOf(rawQuery) }),
    ...(Object.keys(parameters).length > 0 && { pathParameters: parameters }),
    requestContext: {
      accountId: ACCOUNT_ID,
      apiId: 'local',
      ...(authorization?.outcome === 'allowed' && {
        authorizer:
          'iam' in authorization
            ? { iam: authorization.iam }
            : { jwt: { claims: authorization.claims, scopes: authorization.scopes } },
      }),
      domainName: headers.host ?? 'localhost',
      domainPrefix: 'localhost',
      http: {
        method: request.method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId,
      routeKey,
      stage: '$default',
      time: commonLogTime(now),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** A time in the format of access logs: 12/Mar/2020:19:03:58 +0000. */
export function commonLogTime(time: Date): string {
  const [, day, month, year, clock] = time.toUTCString().split(' ');
  return `${day}/${month}/${year}:${clock} +0000`;
}

/** Lower-case names; repeated headers are joined by commas. Without cookies, which an event has elsewhere and no function reads. */
function headersOf({ headersDistinct }: IncomingMessage): Record<string, string> {
  const headers = Object.entries(headersDistinct).filter(([name]) => name !== 'cookie');
  return Object.fromEntries(headers.map(([name, values]) => [name, (values ?? []).join(',')]));
}

function queryOf(rawQuery: string): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    const before = parameters[name];
    parameters[name] = before === undefined ? value : `${before},${value}`;
  }
  return parameters;
}
