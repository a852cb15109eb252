import type { APIGatewayProxyEventV2WithJWTAuthorizer, Context } from 'aws-lambda';

export interface ProxyCall {
  readonly routeKey?: string;
  readonly query?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the gateway made of the token; null where the route asks for none. */
  readonly jwt?: {
    readonly claims: Readonly<Record<string, string>>;
    readonly scopes: readonly string[] | null;
  } | null;
}

/** What API Gateway hands to a function, made by hand. */
export function proxyEvent(call: ProxyCall): APIGatewayProxyEventV2WithJWTAuthorizer {
  const { routeKey = 'POST /v1/test', query = '', params, body, headers = {}, jwt = null } = call;
  return {
    version: '2.0',
    routeKey,
    rawPath: '/v1/test',
    rawQueryString: query,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(query && { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) }),
    ...(params && { pathParameters: params }),
    requestContext: {
      accountId: '000000000000',
      apiId: 'test',
      ...(jwt && { authorizer: { jwt } }),
      domainName: 'localhost',
      domainPrefix: 'localhost',
      http: { method: 'POST', path: '/v1/test', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' },
      requestId: 'the-request',
      routeKey,
      stage: '$default',
      time: '01/Jan/2026:00:00:00 +0000',
      timeEpoch: 1_767_225_600_000,
    },
    ...(body !== undefined && { body }),
    isBase64Encoded: false,
  } as APIGatewayProxyEventV2WithJWTAuthorizer;
}

export const CONTEXT = {} as Context;

/** A token with this text as its payload. Its signature is invalid: the gateway has checked signatures before. */
export function tokenWith(payload: string | Buffer): string {
  const header = Buffer.from('{"alg":"RS256"}').toString('base64url');
  return `${header}.${Buffer.from(payload).toString('base64url')}.c2lnbmF0dXJl`;
}
