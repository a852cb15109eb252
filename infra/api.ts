import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  type AddRoutesOptions,
  CorsHttpMethod,
  type CorsPreflightOptions,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type Route, routesOf, type Who } from '../shared/contract/endpoint.ts';
import { type Endpoint, type EndpointFunctionName, endpoints } from '../shared/contract/endpoints.ts';
import { MEMBERSHIP, SERVICE_SCOPE, USER_SCOPE } from '../shared/contract/environment.ts';
import type { Cache } from './cache.ts';
import type { TidemarkContext } from './context.ts';
import { type Environment, TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';

/** The endpoints that one function serves. */
interface ServedEndpoints {
  readonly name: EndpointFunctionName;
  readonly served: readonly Endpoint[];
}

function byFunction(): readonly ServedEndpoints[] {
  const groups = Map.groupBy(endpoints, ({ servedBy }) => servedBy);
  return [...groups].map(([name, served]) => ({ name, served }));
}

/** Cookies and other credentials of the browser are not allowed: only the token identifies a caller. */
function corsFor(origins: readonly string[]): CorsPreflightOptions {
  const methods = endpoints.flatMap(routesOf).map(({ method }) => CorsHttpMethod[method]);
  return {
    allowOrigins: [...origins],
    allowMethods: [...new Set(methods)].sort(),
    allowHeaders: ['authorization', 'content-type'],
    exposeHeaders: ['retry-after'],
    // How long a browser may reuse a preflight's answer: the largest value that API Gateway allows.
    maxAge: Duration.days(1),
  };
}

export interface ApiProps {
  readonly context: TidemarkContext;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
}

/** The HTTP API: every route, its function, and its authorization. */
export class Api extends Construct {
  readonly httpApi: HttpApi;
  /** The ARNs that a back end's role must be allowed to invoke. Undefined if back ends send tokens. */
  readonly serviceRouteArns: readonly string[] | undefined;
  readonly #context: TidemarkContext;

  constructor(scope: Construct, id: string, { context, bundles, ledger, cache }: ApiProps) {
    super(scope, id);
    this.#context = context;
    const { stackName } = Stack.of(this);
    this.httpApi = new HttpApi(this, 'Http', {
      apiName: stackName,
      description: 'Read state for group chat',
      createDefaultStage: false,
      ...(context.corsOrigins && { corsPreflight: corsFor(context.corsOrigins) }),
      // As the API's default: a route without an authorizer of its own still needs a token.
      defaultAuthorizer: new HttpJwtAuthorizer('Jwt', context.jwtIssuer, {
        authorizerName: 'jwt',
        jwtAudience: [...context.jwtAudience],
      }),
    });
    this.#addStage(stackName);
    for (const { name, served } of byFunction()) {
      const timeouts = served.flatMap(({ timeoutSeconds }) => timeoutSeconds ?? []);
      const handler = new TidemarkFunction(this, name, {
        bundles,
        description: served.map(({ summary }) => summary).join('. '),
        isTraced: true,
        whenItFails: 'callers of its routes get 500 or 503; acknowledged writes are kept',
        environment: { ...this.#settingsFor(served), ...this.#scopesFor(served) },
        ...(timeouts.length > 0 && { timeout: Duration.seconds(Math.max(...timeouts)) }),
      });
      if (!served.every(({ withoutCache }) => withoutCache)) cache.allow(handler);
      ledger.allow(handler, [...new Set(served.flatMap((endpoint) => endpoint.ledger))]);
      if (served.some(({ listsMembers }) => listsMembers)) ledger.allowListingMembers(handler);
      this.#addRoutes(served.flatMap(routesOf), handler);
    }
    if (context.serviceAuth === 'iam') this.serviceRouteArns = this.#arnsForBackEnds();
  }

  #settingsFor(served: readonly Endpoint[]): Environment {
    const values = { [MEMBERSHIP]: this.#context.membership };
    const names = served.flatMap(({ settings = [] }) => settings);
    return Object.fromEntries(names.map((name) => [name, values[name]]));
  }

  /** The scopes of users and back ends, which the functions check again. If tokens need no scope, its variable is not set. */
  #scopesFor(served: readonly Endpoint[]): Environment {
    const { userScope, serviceScope, serviceAuth } = this.#context;
    const isFor = (caller: Who) => served.flatMap(routesOf).some(({ who }) => who === caller);
    return {
      ...(isFor('user') && userScope !== null && { [USER_SCOPE]: userScope }),
      ...(isFor('service') && serviceAuth === 'jwt' && { [SERVICE_SCOPE]: serviceScope }),
    };
  }

  /** One ARN for each route of back ends, and one for everything under `/v1/users/`: all routes there are for back ends. */
  #arnsForBackEnds(): string[] {
    const arns = endpoints
      .flatMap(routesOf)
      .filter(({ who }) => who === 'service')
      .map(({ method, path }) =>
        path.startsWith('/v1/users/{userId}')
          ? '*/v1/users/*'
          : `${method}${path.replace(/\{[^}]+\}/g, '*')}`,
      )
      .map((resourceName) =>
        Stack.of(this).formatArn({
          service: 'execute-api',
          resource: this.httpApi.apiId,
          resourceName: `$default/${resourceName}`,
        }),
      );
    return [...new Set(arns)];
  }

  #addStage(stackName: string): void {
    const log = new LogGroup(this, 'AccessLog', {
      // One resource policy covers all log groups with this prefix. Any other group adds to a policy of limited length.
      logGroupName: `/aws/vendedlogs/${stackName}/access`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new HttpStage(this, 'Stage', {
      httpApi: this.httpApi,
      stageName: '$default',
      autoDeploy: true,
      // At 25 ms a call, this rate keeps 50 instances busy. All functions of an account share 1,000. Calls that wait for
      // another call to load a group's receipts take longer.
      throttle: { rateLimit: 2_000, burstLimit: 1_000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(log),
        format: AccessLogFormat.custom(
          JSON.stringify({
            requestId: '$context.requestId',
            time: '$context.requestTime',
            route: '$context.routeKey',
            path: '$context.path',
            status: '$context.status',
            subject: '$context.authorizer.claims.sub',
            ...(this.#context.serviceAuth === 'iam' && { caller: '$context.identity.userArn' }),
            sourceIp: '$context.identity.sourceIp',
            latencyMs: '$context.responseLatency',
            integrationLatencyMs: '$context.integrationLatency',
            integrationError: '$context.integrationErrorMessage',
            authorizerError: '$context.authorizer.error',
          }),
        ),
      },
    });
  }

  #addRoutes(routes: readonly Route[], handler: TidemarkFunction): void {
    const integration = new HttpLambdaIntegration(handler.node.id, handler);
    for (const { method, path, who } of routes) {
      const added = this.httpApi.addRoutes({
        path,
        methods: [HttpMethod[method]],
        integration,
        ...this.#accessOf(who),
      });
      if (who !== 'anyone') continue;
      for (const route of added) {
        Validations.of(route).acknowledge({
          id: 'AwsSolutions-APIG4',
          reason:
            'Monitors have no token. The response shows whether ledger and cache answer, and nothing about users or groups.',
        });
      }
    }
  }

  #accessOf(who: Who): Pick<AddRoutesOptions, 'authorizer' | 'authorizationScopes'> {
    const { userScope, serviceScope, serviceAuth } = this.#context;
    if (who === 'anyone') return { authorizer: new HttpNoneAuthorizer() };
    if (who === 'user') return userScope === null ? {} : { authorizationScopes: [userScope] };
    return serviceAuth === 'iam'
      ? { authorizer: new HttpIamAuthorizer() }
      : { authorizationScopes: [serviceScope] };
  }
}
