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
import type { FunctionName } from './bundle.ts';
import type { Cache } from './cache.ts';
import type { TidemarkContext } from './context.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';

type Audience = 'users' | 'back ends' | 'anyone';

interface Route {
  readonly method: HttpMethod;
  readonly path: string;
  readonly audience: Audience;
}

interface Endpoint {
  readonly name: FunctionName;
  readonly description: string;
  readonly routes: readonly Route[];
  /** What it does to the items of the ledger. */
  readonly ledgerActions: readonly string[];
  readonly listsMembers?: true;
  readonly timeout?: Duration;
  readonly environment?: Record<string, string>;
}

/** Whoever asks first of all for the receipts of a large group loads them: just within what the gateway waits for. */
const WHOLE_GROUP = Duration.seconds(29);

function endpoints({ membership }: TidemarkContext): readonly Endpoint[] {
  const { DELETE, GET, POST, PUT } = HttpMethod;
  /** A route for users about themselves, and its twin for back ends about the user whom the path names. */
  const aboutUser = (method: HttpMethod, path: string): readonly Route[] => [
    { method, path: `/v1${path}`, audience: 'users' },
    { method, path: `/v1/users/{userId}${path}`, audience: 'back ends' },
  ];
  return [
    {
      name: 'mark-read',
      description: "Moves a member's watermark forward",
      routes: aboutUser(PUT, '/groups/{groupId}/watermark'),
      ledgerActions: ['GetItem', 'UpdateItem', 'Query'],
      environment: { MEMBERSHIP: membership },
    },
    {
      name: 'mark-unread',
      description: "Takes a member's own watermark back",
      routes: aboutUser(POST, '/groups/{groupId}/unread'),
      ledgerActions: ['GetItem', 'UpdateItem', 'Query'],
    },
    {
      name: 'mark-delivered',
      description: 'Moves forward what was delivered to a member',
      routes: aboutUser(PUT, '/groups/{groupId}/delivered'),
      ledgerActions: ['GetItem', 'UpdateItem'],
      environment: { MEMBERSHIP: membership },
    },
    {
      name: 'mark-groups',
      description: "Moves a member's watermarks in several groups forward",
      routes: aboutUser(POST, '/watermarks'),
      ledgerActions: ['GetItem', 'UpdateItem'],
      environment: { MEMBERSHIP: membership },
    },
    {
      name: 'get-watermark',
      description: "Tells a member's own watermark and unread count",
      routes: aboutUser(GET, '/groups/{groupId}/watermark'),
      ledgerActions: ['GetItem', 'Query'],
    },
    {
      name: 'get-message-status',
      description: 'Tells which messages a member has read',
      routes: aboutUser(POST, '/groups/{groupId}/messages/status'),
      ledgerActions: ['BatchGetItem', 'GetItem'],
    },
    {
      name: 'get-inbox',
      description: "Lists a user's groups with what is unread in them",
      routes: aboutUser(GET, '/inbox'),
      ledgerActions: ['BatchGetItem', 'GetItem', 'Query'],
    },
    {
      name: 'list-receipts',
      description: 'Lists who has read a message',
      routes: aboutUser(GET, '/groups/{groupId}/messages/{messageId}/receipts'),
      ledgerActions: ['BatchGetItem', 'GetItem', 'Query'],
      listsMembers: true,
      timeout: WHOLE_GROUP,
    },
    {
      name: 'count-receipts',
      description: 'Counts who has read messages',
      routes: aboutUser(POST, '/groups/{groupId}/receipts'),
      ledgerActions: ['BatchGetItem', 'GetItem', 'Query'],
      listsMembers: true,
      timeout: WHOLE_GROUP,
    },
    {
      name: 'add-members',
      description: 'Lets users join a group',
      routes: [
        { method: PUT, path: '/v1/groups/{groupId}/members/{userId}', audience: 'back ends' },
        { method: POST, path: '/v1/groups/{groupId}/members', audience: 'back ends' },
      ],
      ledgerActions: ['GetItem', 'UpdateItem'],
    },
    {
      name: 'list-members',
      description: 'Lists the members of a group with their watermarks',
      routes: [{ method: GET, path: '/v1/groups/{groupId}/members', audience: 'back ends' }],
      ledgerActions: ['BatchGetItem'],
      listsMembers: true,
    },
    {
      name: 'remove-member',
      description: 'Lets a user leave a group',
      routes: [{ method: DELETE, path: '/v1/groups/{groupId}/members/{userId}', audience: 'back ends' }],
      ledgerActions: ['UpdateItem'],
    },
    {
      name: 'record-message',
      description: 'Records a message that was sent',
      routes: [{ method: POST, path: '/v1/groups/{groupId}/messages', audience: 'back ends' }],
      ledgerActions: ['BatchGetItem', 'UpdateItem'],
    },
    {
      name: 'delete-message',
      description: 'Takes a message out of the unread counts',
      routes: [{ method: DELETE, path: '/v1/groups/{groupId}/messages/{messageId}', audience: 'back ends' }],
      ledgerActions: ['UpdateItem'],
    },
    {
      name: 'check-health',
      description: 'Tells whether ledger and cache answer',
      routes: [{ method: GET, path: '/v1/health', audience: 'anyone' }],
      ledgerActions: ['GetItem'],
    },
  ];
}

/** No credentials are allowed: a caller is known by its token, and never by what a browser sends by itself. */
function corsFor(origins: readonly string[], served: readonly Endpoint[]): CorsPreflightOptions {
  const methods = served.flatMap(({ routes }) => routes.map(({ method }) => CorsHttpMethod[method]));
  return {
    allowOrigins: [...origins],
    allowMethods: [...new Set(methods)].sort(),
    allowHeaders: ['authorization', 'content-type'],
    exposeHeaders: ['retry-after'],
    // The longest that there is: a browser asks before the first call of a URL, and again only when this is over.
    maxAge: Duration.days(1),
  };
}

export interface ApiProps {
  readonly context: TidemarkContext;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
}

/** The HTTP API: every route with its function, and who may call it. */
export class Api extends Construct {
  readonly httpApi: HttpApi;
  /** What the role of a back end must be allowed to invoke, where back ends sign their calls. */
  readonly serviceRouteArns: readonly string[] | undefined;
  readonly #context: TidemarkContext;

  constructor(scope: Construct, id: string, { context, bundles, ledger, cache }: ApiProps) {
    super(scope, id);
    this.#context = context;
    const { stackName } = Stack.of(this);
    const served = endpoints(context);
    this.httpApi = new HttpApi(this, 'Http', {
      apiName: stackName,
      description: 'Read state for group chat',
      createDefaultStage: false,
      ...(context.corsOrigins && { corsPreflight: corsFor(context.corsOrigins, served) }),
      // By default rather than by route, so that a route that says nothing is not an open door.
      defaultAuthorizer: new HttpJwtAuthorizer('Jwt', context.jwtIssuer, {
        authorizerName: 'jwt',
        jwtAudience: [...context.jwtAudience],
      }),
    });
    this.#addStage(stackName);
    for (const endpoint of served) {
      const handler = new TidemarkFunction(this, endpoint.name, {
        bundles,
        description: endpoint.description,
        isTraced: true,
        whenItFails: 'callers of its routes get 500 or 503; what was acknowledged is kept',
        environment: { ...endpoint.environment, ...this.#scopesFor(endpoint) },
        ...(endpoint.timeout && { timeout: endpoint.timeout }),
      });
      cache.allow(handler);
      ledger.allow(handler, endpoint.ledgerActions);
      if (endpoint.listsMembers) ledger.allowListingMembers(handler);
      this.#addRoutes(endpoint.routes, handler);
    }
    if (context.serviceAuth === 'iam') this.serviceRouteArns = this.#arnsForBackEnds(served);
  }

  /** What tells users and back ends apart, for the functions to check again: a scope that is not there is not named. */
  #scopesFor({ routes }: Endpoint): Record<string, string> {
    const { userScope, serviceScope, serviceAuth } = this.#context;
    const isFor = (audience: Audience) => routes.some((route) => route.audience === audience);
    return {
      ...(isFor('users') && userScope !== null && { USER_SCOPE: userScope }),
      ...(isFor('back ends') && serviceAuth === 'jwt' && { SERVICE_SCOPE: serviceScope }),
    };
  }

  /** One ARN for each route of back ends, and one for all that are under a user, since no others are there. */
  #arnsForBackEnds(served: readonly Endpoint[]): string[] {
    const routes = served.flatMap((endpoint) => endpoint.routes);
    const arns = routes
      .filter(({ audience }) => audience === 'back ends')
      .map(({ method, path }) =>
        path.startsWith('/v1/users/{userId}/')
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
      // Under this prefix one resource policy serves all logs; elsewhere each adds to one of limited length.
      logGroupName: `/aws/vendedlogs/${stackName}/access`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new HttpStage(this, 'Stage', {
      httpApi: this.httpApi,
      stageName: '$default',
      autoDeploy: true,
      // At 25 ms a call this keeps 50 instances busy: far from the 1,000 that all functions of an account share. Those who
      // wait for receipts that are being loaded take longer.
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
    for (const { method, path, audience } of routes) {
      const added = this.httpApi.addRoutes({
        path,
        methods: [method],
        integration,
        ...this.#accessOf(audience),
      });
      if (audience !== 'anyone') continue;
      for (const route of added) {
        Validations.of(route).acknowledge({
          id: 'AwsSolutions-APIG4',
          reason:
            'Monitors have no token. The answer says whether ledger and cache answer, and nothing of any user or group.',
        });
      }
    }
  }

  #accessOf(audience: Audience): Pick<AddRoutesOptions, 'authorizer' | 'authorizationScopes'> {
    const { userScope, serviceScope, serviceAuth } = this.#context;
    if (audience === 'anyone') return { authorizer: new HttpNoneAuthorizer() };
    if (audience === 'users') return userScope === null ? {} : { authorizationScopes: [userScope] };
    return serviceAuth === 'iam'
      ? { authorizer: new HttpIamAuthorizer() }
      : { authorizationScopes: [serviceScope] };
  }
}
