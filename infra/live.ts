import assert from 'node:assert/strict';
import { Stack, Validations } from 'aws-cdk-lib';
import {
  CfnApi,
  CfnIntegrationResponse,
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
    this.allowClosing(open);
    ledger.allow(close, ['DeleteItem']);
    cache.allow(answer);
    ledger.allow(answer, ['BatchGetItem', 'GetItem', 'Query', 'UpdateItem']);
    this.allowPushing(answer);
  }

  /** Lets a function send frames to connections and close them. */
  allowPushing(sender: TidemarkFunction): void {
    this.#allowManaging(sender, ['POST', 'DELETE']);
  }

  /** Lets a function close connections. */
  allowClosing(closer: TidemarkFunction): void {
    this.#allowManaging(closer, ['DELETE']);
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
    const stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: this.webSocketApi,
      stageName: STAGE,
      autoDeploy: true,
      // For each route: frames, and the 500 connects a second that an account has.
      throttle: { rateLimit: 2_000, burstLimit: 1_000 },
    });
    Validations.of(stage).acknowledge({
      id: 'AwsSolutions-APIG1',
      reason:
        'A WebSocket API writes its access log with a role of the whole account, and setting that would replace the one of other APIs. The functions log what fails.',
    });
    return stage;
  }
}
