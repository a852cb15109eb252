import assert from 'node:assert/strict';
import { RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { AccessLogFormat, CfnAccount } from 'aws-cdk-lib/aws-apigateway';
import {
  CfnApi,
  CfnIntegrationResponse,
  LogGroupLogDestination,
  WebSocketApi,
  WebSocketIntegration,
  WebSocketRoute,
  WebSocketStage,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import {
  WebSocketLambdaIntegration,
  WebSocketMockIntegration,
} from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import {
  CONNECTIONS_URL,
  MEMBERSHIP,
  SERVICE_SCOPE,
  TOKEN_ISSUERS,
  USER_SCOPE,
} from '../shared/contract/environment.ts';
import { PING, routeActions, sync } from '../shared/contract/frames.ts';
import type { Cache } from './cache.ts';
import type { TidemarkContext } from './context.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';

const STAGE = 'live';

/** The key of the one template of a mock integration. Any text will do. */
const ONLY = '200';

export interface LiveProps {
  readonly context: TidemarkContext;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
}

/** The WebSocket API: who may connect, and what answers frames. Pushes come from `Notify`. */
export class Live extends Construct {
  readonly webSocketApi: WebSocketApi;
  /** Where clients connect. */
  readonly url: string;
  readonly #stage: WebSocketStage;

  constructor(scope: Construct, id: string, { context, bundles, ledger, cache }: LiveProps) {
    super(scope, id);
    const authorize = new TidemarkFunction(this, 'authorize-connection', {
      bundles,
      description: 'Verifies the token of a client that connects',
      isTraced: true,
      whenItFails: 'clients cannot connect, and see changes when they ask; those connected notice nothing',
      refusesByErrors: true,
      environment: {
        [TOKEN_ISSUERS]: JSON.stringify([{ issuer: context.jwtIssuer, audience: context.jwtAudience }]),
        ...(context.userScope !== null && { [USER_SCOPE]: context.userScope }),
        ...(context.serviceAuth === 'jwt' && { [SERVICE_SCOPE]: context.serviceScope }),
      },
    });
    const open = new TidemarkFunction(this, 'open-connection', {
      bundles,
      description: 'Notes the connection of a client',
      isTraced: true,
      whenItFails: 'clients cannot connect, and see changes when they ask; those connected notice nothing',
    });
    const close = new TidemarkFunction(this, 'close-connection', {
      bundles,
      description: 'Forgets the connection of a client',
      whenItFails: 'nothing: a connection that is gone is forgotten at the next push, or after two hours',
    });
    const answer = new TidemarkFunction(this, 'answer-frame', {
      bundles,
      description: 'Answers what clients send over their connections',
      isTraced: true,
      whenItFails: 'connected clients cannot mark or sync over their connections; the routes still work',
      environment: { [MEMBERSHIP]: context.membership },
    });

    this.webSocketApi = new WebSocketApi(this, 'WebSockets', {
      apiName: `${Stack.of(this).stackName}-live`,
      description: 'Read state for group chat, as it changes',
      routeSelectionExpression: '$request.body.action',
      connectRouteOptions: {
        integration: new WebSocketLambdaIntegration('Open', open),
        authorizer: new WebSocketLambdaAuthorizer('Token', authorize, {
          // The only header of a WebSocket that a browser lets a page set. A token in the query would be in logs.
          identitySource: ['route.request.header.Sec-WebSocket-Protocol'],
        }),
      },
      disconnectRouteOptions: { integration: new WebSocketLambdaIntegration('Close', close) },
      defaultRouteOptions: {
        integration: new WebSocketLambdaIntegration('Answer', answer),
        returnResponse: true,
      },
    });
    // Each route has an integration of its own: CDK lets the API invoke a function for the first route of one only.
    for (const action of [sync.action, ...Object.keys(routeActions)]) {
      this.webSocketApi.addRoute(action, {
        integration: new WebSocketLambdaIntegration('Answer', answer),
        returnResponse: true,
      });
    }
    this.#addPing();
    this.#acknowledgeOpenRoutes();
    this.#stage = this.#addStage();
    this.url = this.#stage.url;

    cache.allow(open);
    ledger.allow(open, ['DeleteItem', 'Query', 'UpdateItem']);
    // It closes the oldest connection, and sends nothing.
    this.#allowManaging(open, ['DELETE']);
    ledger.allow(close, ['DeleteItem']);
    cache.allow(answer);
    ledger.allow(answer, ['BatchGetItem', 'GetItem', 'Query', 'UpdateItem']);
    this.allowPushing(answer);
  }

  /** Lets a function send frames to connections and close them. */
  allowPushing(sender: TidemarkFunction): void {
    this.#allowManaging(sender, ['POST', 'DELETE']);
  }

  #allowManaging(sender: TidemarkFunction, methods: readonly ('DELETE' | 'POST')[]): void {
    sender.addEnvironment(CONNECTIONS_URL, this.#stage.callbackUrl);
    const api = this.webSocketApi.node.defaultChild;
    assert(api instanceof CfnApi && sender.role, 'the API is a resource, and each function has a role');
    for (const method of methods) {
      Validations.of(sender.role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${Stack.of(this).getLogicalId(api)}>/${STAGE}/${method}/@connections/*]`,
        reason: 'API Gateway names the connections of this stage as they are opened.',
      });
      sender.allow(
        ['execute-api:ManageConnections'],
        Stack.of(this).formatArn({
          service: 'execute-api',
          resource: this.webSocketApi.apiId,
          resourceName: `${STAGE}/${method}/@connections/*`,
        }),
      );
    }
  }

  /** Clients keep their connections open by it, so it is answered without a function. */
  #addPing(): void {
    const route = this.webSocketApi.addRoute(PING, {
      integration: new WebSocketMockIntegration('Pong', {
        requestTemplates: { [ONLY]: '{"statusCode":200}' },
        templateSelectionExpression: ONLY,
      }),
      returnResponse: true,
    });
    const integration = route.node.findChild('Pong');
    assert(integration instanceof WebSocketIntegration, 'the route has the integration as its child');
    new CfnIntegrationResponse(this, 'PongResponse', {
      apiId: this.webSocketApi.apiId,
      integrationId: integration.integrationId,
      integrationResponseKey: '$default',
      templateSelectionExpression: ONLY,
      responseTemplates: { [ONLY]: '{"type":"pong"}' },
    });
  }

  #acknowledgeOpenRoutes(): void {
    for (const route of this.webSocketApi.node.findAll()) {
      if (!(route instanceof WebSocketRoute) || route.routeKey === '$connect') continue;
      Validations.of(route).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason:
          'Only $connect can have an authorizer: AWS lets nobody send a frame over a connection that was not authorized.',
      });
    }
  }

  #addStage(): WebSocketStage {
    const { stackName } = Stack.of(this);
    const log = new LogGroup(this, 'AccessLog', {
      logGroupName: `/aws/vendedlogs/${stackName}/live-access`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: this.webSocketApi,
      stageName: STAGE,
      autoDeploy: true,
      // For each route: frames, and the 500 connects a second that an account has.
      throttle: { rateLimit: 2_000, burstLimit: 1_000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(log),
        // Nothing of the headers: one of them is the token.
        format: AccessLogFormat.custom(
          JSON.stringify({
            requestId: '$context.requestId',
            time: '$context.requestTime',
            event: '$context.eventType',
            route: '$context.routeKey',
            connection: '$context.connectionId',
            status: '$context.status',
            subject: '$context.authorizer.principalId',
            sourceIp: '$context.identity.sourceIp',
            integrationLatencyMs: '$context.integrationLatency',
            integrationError: '$context.integrationErrorMessage',
            authorizerError: '$context.authorizer.error',
          }),
        ),
      },
    });
    stage.node.addDependency(this.#allowLogging());
    return stage;
  }

  /**
   * Unlike an HTTP API, a WebSocket API writes its logs with a role that the account has for all its APIs of the region;
   * without one AWS refuses the stage. The role stays when the stack is deleted, since other APIs then write with it.
   */
  #allowLogging(): CfnAccount {
    const role = new Role(this, 'LogRole', {
      description: 'Lets API Gateway write the logs of all APIs of the region',
      assumedBy: new ServicePrincipal('apigateway.amazonaws.com'),
      managedPolicies: [
        ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonAPIGatewayPushToCloudWatchLogs'),
      ],
    });
    role.applyRemovalPolicy(RemovalPolicy.RETAIN);
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason:
        'API Gateway refuses a role that may do less: it asks for one that serves all APIs of the region.',
    });
    const account = new CfnAccount(this, 'Account', { cloudWatchRoleArn: role.roleArn });
    account.applyRemovalPolicy(RemovalPolicy.RETAIN);
    return account;
  }
}
