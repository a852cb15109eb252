import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { readBody } from '../../http/body.ts';
import { functionNameIn, httpApiOf, resourcesOf } from '../cloudformation/properties.ts';
import { type Template, TemplateError } from '../cloudformation/template.ts';
import type { Credentials } from '../credentials.ts';
import type { Lambda } from '../lambda/lambda.ts';
import { Cors } from './cors.ts';
import { type IamAuthorization, IamAuthorizer } from './iam-authorizer.ts';
import { type Authorization, JwtAuthorizer, type TrustedIssuer } from './jwt-authorizer.ts';
import { proxyEvent } from './payload.ts';
import { gatewayProblem } from './problem.ts';
import { bySpecificity, matchPath, parseRouteKey, type RoutePattern, segmentsOf } from './routes.ts';

const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** How long API Gateway waits for a function, by default. */
const TIMEOUT_MS = 30_000;

interface Route extends RoutePattern {
  readonly routeKey: string;
  readonly functionName: string;
  readonly authorizer: JwtAuthorizer | IamAuthorizer | null;
  readonly scopes: readonly string[];
}

export interface ProxyResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string | Buffer;
}

/** What the local stack allows in addition to the template. */
export interface BesidesTemplate {
  /** Whether pages of an origin may call. */
  readonly alsoAllowsOrigin: (origin: string) => boolean;
  readonly otherIssuers: readonly TrustedIssuer[];
  /** The credentials that may invoke the routes with IAM authorization. */
  readonly backEnd: Credentials;
}

/** The template's HTTP API: its routes, each with authorizer, scopes and function. */
export class HttpApi {
  readonly #routes: readonly Route[];
  readonly #lambda: Lambda;
  /** Null if the template does not configure CORS. */
  readonly #cors: Cors | null;

  constructor(
    template: Template,
    lambda: Lambda,
    keySetUrl: (issuer: string) => string,
    { alsoAllowsOrigin, otherIssuers, backEnd }: BesidesTemplate,
  ) {
    this.#lambda = lambda;
    const api = httpApiOf(template);
    const { logicalId: apiId, properties } = api;
    this.#cors = properties.CorsConfiguration
      ? new Cors(properties.CorsConfiguration, alsoAllowsOrigin)
      : null;
    const authorizers = new Map(
      api
        .partsOf('AWS::ApiGatewayV2::Authorizer')
        .map(({ logicalId, properties }) => [
          logicalId,
          new JwtAuthorizer(properties, keySetUrl, otherIssuers),
        ]),
    );
    const signatures = new IamAuthorizer(backEnd);
    const integrations = new Map(
      api
        .partsOf('AWS::ApiGatewayV2::Integration')
        .map(({ logicalId, properties }) => [logicalId, properties]),
    );
    const permissions = resourcesOf(template, 'AWS::Lambda::Permission').filter(
      ({ properties }) => properties.Principal === 'apigateway.amazonaws.com',
    );
    this.#routes = api
      .partsOf('AWS::ApiGatewayV2::Route')
      .map(({ logicalId, properties }): Route => {
        const {
          RouteKey: routeKey,
          Target,
          AuthorizationType,
          AuthorizerId,
          AuthorizationScopes,
        } = properties;
        const integration = integrations.get(Target.replace('integrations/', ''));
        if (!integration) throw new TemplateError(`${logicalId}: there is no integration ${Target}`);
        const authorizer = {
          NONE: null,
          JWT: authorizers.get(AuthorizerId),
          AWS_IAM: signatures,
        }[AuthorizationType];
        if (authorizer === undefined)
          throw new TemplateError(`${logicalId}: there is no authorizer ${AuthorizerId}`);
        const functionName = functionNameIn(integration.IntegrationUri);
        lambda.pool(functionName);
        const pattern = parseRouteKey(routeKey);
        const mayInvoke = permissions.some(
          ({ properties: { FunctionName, SourceArn } }) =>
            functionNameIn(FunctionName) === functionName &&
            SourceArn.includes(`:${apiId}/`) &&
            isCovered(SourceArn, pattern),
        );
        if (!mayInvoke)
          throw new TemplateError(`${logicalId}: API Gateway may not invoke ${functionName} for ${routeKey}`);
        return { ...pattern, routeKey, functionName, authorizer, scopes: AuthorizationScopes };
      })
      .toSorted(bySpecificity);
  }

  async handle(request: IncomingMessage): Promise<ProxyResponse> {
    const cors = this.#cors;
    if (!cors) return this.#answer(request);
    // Before routes and authorizers, because a preflight has no token. The status is the same if nothing is allowed.
    if (request.method === 'OPTIONS') {
      return { statusCode: 204, headers: cors.preflightHeaders(request.headers), body: '' };
    }
    const response = await this.#answer(request);
    return { ...response, headers: cors.answerHeaders(response.headers, request.headers.origin) };
  }

  async #answer(request: IncomingMessage): Promise<ProxyResponse> {
    const requestId = randomUUID();
    const [rawPath = '', rawQuery = ''] = splitOnce(request.url ?? '/', '?');
    const found = this.#find(request.method ?? 'GET', rawPath);
    if (!found) return gatewayProblem(404, 'There is no such route.', requestId);
    const { route } = found;
    // A signature covers the body, so the body is read before the authorization is known. AWS does the same.
    const signedBody =
      route.authorizer instanceof IamAuthorizer ? await readBody(request, MAX_BODY_BYTES) : undefined;
    if (signedBody === null) return tooLarge(requestId);
    const authorization = await authorize(route, request, { rawPath, rawQuery, body: signedBody });
    if (authorization?.outcome === 'unauthorized')
      return gatewayProblem(401, authorization.reason, requestId);
    if (authorization?.outcome === 'forbidden') {
      const reason =
        'reason' in authorization
          ? authorization.reason
          : `The token lacks the scope ${route.scopes.join(' or ')}.${this.#otherRoute(request.method, rawPath)}`;
      return gatewayProblem(403, reason, requestId);
    }
    let parameters: Record<string, string>;
    try {
      parameters = decodeAll(found.parameters);
    } catch {
      return gatewayProblem(400, 'The path has a malformed percent escape.', requestId);
    }
    const body = signedBody ?? (await readBody(request, MAX_BODY_BYTES));
    if (!body) return tooLarge(requestId);
    const event = proxyEvent({
      request,
      requestId,
      routeKey: route.routeKey,
      rawPath,
      rawQuery,
      parameters,
      body,
      authorization,
    });
    return this.#invoke(route, JSON.stringify(event), requestId);
  }

  /** The route of back ends that does the same as this one of users; '' if there is none. */
  #otherRoute(method = 'GET', path: string): string {
    const { route } = this.#find(method, path.replace(/^\/v1\//, '/v1/users/a-user/')) ?? {};
    return route ? ` A back end calls ${path.replace(/^\/v1\//, '/v1/users/{userId}/')}.` : '';
  }

  #find(method: string, path: string): { route: Route; parameters: Record<string, string> } | null {
    const segments = segmentsOf(path);
    for (const route of this.#routes) {
      const parameters = route.method === method ? matchPath(route, segments) : null;
      if (parameters) return { route, parameters };
    }
    return null;
  }

  async #invoke({ functionName }: Route, payload: string, requestId: string): Promise<ProxyResponse> {
    const timeout = Promise.withResolvers<null>();
    const timer = setTimeout(() => timeout.resolve(null), TIMEOUT_MS);
    const result = await Promise.race([this.#lambda.invoke(functionName, payload), timeout.promise]);
    clearTimeout(timer);
    if (!result) return gatewayProblem(503, 'The service took too long.', requestId);
    if (!result.ok) return gatewayProblem(500, 'The request failed. It may be repeated.', requestId);
    return responseOf(result.payload);
  }
}

interface Call {
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Undefined if it was not read yet. */
  readonly body: Buffer | undefined;
}

async function authorize(
  { authorizer, scopes }: Route,
  request: IncomingMessage,
  { rawPath, rawQuery, body = Buffer.alloc(0) }: Call,
): Promise<Authorization | IamAuthorization | null> {
  return authorizer instanceof IamAuthorizer
    ? authorizer.authorize(request, rawPath, rawQuery, body)
    : (authorizer?.authorize(request.headers.authorization, scopes) ?? null);
}

function tooLarge(requestId: string): ProxyResponse {
  return gatewayProblem(413, `The body has more than ${MAX_BODY_BYTES} bytes.`, requestId);
}

/** Whether the ARN of a permission, `...:<api>/<stage>/<method>/<path>` with stars, covers a route. */
function isCovered(sourceArn: string, { segments }: RoutePattern): boolean {
  const path = sourceArn.split('/').slice(3);
  return path.join('/') === '*' || path.join('/') === segments.join('/');
}

/** A path is split before its segments are decoded: an escaped slash is part of its segment. */
function decodeAll(parameters: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, decodeURIComponent(value)]),
  );
}

/**
 * Reads a function's answer in payload format 2.0. It supports what this project's functions use: status, headers and
 * text. It throws an error for everything else, such as cookies and base64.
 */
function responseOf(payload: string): ProxyResponse {
  const { statusCode, headers, body } = v.parse(FunctionAnswer, JSON.parse(payload));
  return { statusCode, headers, body };
}

const FunctionAnswer = v.strictObject({
  statusCode: v.number(),
  headers: v.optional(v.record(v.string(), v.string()), {}),
  body: v.optional(v.string(), ''),
  isBase64Encoded: v.optional(v.literal(false)),
});

function splitOnce(source: string, separator: string): [string, string?] {
  const at = source.indexOf(separator);
  return at < 0 ? [source] : [source.slice(0, at), source.slice(at + 1)];
}
