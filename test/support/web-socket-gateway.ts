import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sha256 } from '@smithy/core/checksum';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { App, Duration, Stack } from 'aws-cdk-lib';
import {
  WebSocketApi as CdkApi,
  CfnIntegration,
  CfnIntegrationResponse,
  WebSocketStage,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import {
  WebSocketLambdaIntegration,
  WebSocketMockIntegration,
} from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Function as CdkFunction, Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import { type ClientOptions, WebSocket } from 'ws';
import { webSocketApiOf } from '../../local/aws/cloudformation/properties.ts';
import { loadTemplate, type Template } from '../../local/aws/cloudformation/template.ts';
import { startAwsEndpoint } from '../../local/aws/endpoint.ts';
import type { Callers } from '../../local/aws/iam/callers.ts';
import { functionPrincipals } from '../../local/aws/iam/function-roles.ts';
import { Principal } from '../../local/aws/iam/principal.ts';
import { Lambda } from '../../local/aws/lambda/lambda.ts';
import type { Queues } from '../../local/aws/queues/queues.ts';
import { API_GATEWAY_LIMITS, type WebSocketLimits } from '../../local/aws/web-sockets/limits.ts';
import { callbackUrlOf, webSocketRoutesOf } from '../../local/aws/web-sockets/routes.ts';
import { WebSocketApi } from '../../local/aws/web-sockets/web-socket-api.ts';
import { startFront } from '../../local/front/front.ts';

const FIXTURES = fileURLToPath(new URL('../integration/local/fixtures', import.meta.url));

/** A WebSocket API as the CDK writes it, with a function of fixtures/web-socket.mjs for each route. */
function synthesizeTemplate(): Template {
  const outdir = mkdtempSync(join(tmpdir(), 'tidemark-web-sockets-'));
  try {
    const app = new App({ outdir });
    const stack = new Stack(app, 'gateway', { env: { region: 'us-east-1' } });
    const functionOf = (name: string) => {
      const role = new Role(stack, `${name}-role`, {
        assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      });
      return new CdkFunction(stack, `${name}-function`, {
        functionName: name,
        role,
        code: Code.fromAsset(FIXTURES),
        handler: `web-socket.${name}`,
        runtime: Runtime.NODEJS_24_X,
        memorySize: 128,
        timeout: Duration.seconds(10),
      });
    };
    const [authorize, connect, disconnect, message, ungranted] = [
      functionOf('authorize'),
      functionOf('connect'),
      functionOf('disconnect'),
      functionOf('message'),
      functionOf('ungranted'),
    ];
    const to = (handler: CdkFunction) => new WebSocketLambdaIntegration(handler.node.id, handler);
    const api = new CdkApi(stack, 'Live', {
      routeSelectionExpression: '$request.body.action',
      connectRouteOptions: {
        integration: to(connect),
        authorizer: new WebSocketLambdaAuthorizer('Token', authorize, {
          identitySource: ['route.request.header.Sec-WebSocket-Protocol'],
        }),
      },
      disconnectRouteOptions: { integration: to(disconnect) },
      defaultRouteOptions: { integration: to(message) },
    });
    api.addRoute('silent', { integration: to(message) });
    api.addRoute('answered', { integration: to(message), returnResponse: true });
    api.addRoute('ungranted', { integration: to(ungranted), returnResponse: true });
    api.addRoute('ping', {
      integration: new WebSocketMockIntegration('Ping', {
        requestTemplates: { $default: '{"statusCode":200}' },
        templateSelectionExpression: '\\$default',
      }),
      returnResponse: true,
    });
    const mock = api.node
      .findAll()
      .find((one) => one instanceof CfnIntegration && one.integrationType === 'MOCK');
    if (!(mock instanceof CfnIntegration)) throw new Error('there is no mock integration');
    new CfnIntegrationResponse(stack, 'Pong', {
      apiId: api.apiId,
      integrationId: mock.ref,
      integrationResponseKey: '/200/',
      templateSelectionExpression: '\\$default',
      responseTemplates: { $default: '{"type":"pong"}' },
    });
    const stage = new WebSocketStage(stack, 'Stage', {
      webSocketApi: api,
      stageName: 'live',
      autoDeploy: true,
    });
    for (const handler of [connect, message, ungranted])
      handler.addEnvironment('CALLBACK_URL', stage.callbackUrl);
    for (const handler of [connect, message])
      handler.addToRolePolicy(
        new PolicyStatement({
          actions: ['execute-api:ManageConnections'],
          resources: [
            stack.formatArn({
              service: 'execute-api',
              resource: api.apiId,
              resourceName: 'live/POST/@connections/*',
            }),
          ],
        }),
      );
    ungranted.addToRolePolicy(
      new PolicyStatement({
        actions: ['sqs:SendMessage'],
        resources: ['arn:aws:sqs:us-east-1:000000000000:another'],
      }),
    );
    app.synth();
    return { ...loadTemplate(outdir), assetDirectory: () => FIXTURES };
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

export interface Gateway {
  /** Of the WebSocket API. */
  readonly url: string;
  /** What the functions printed: one value of JSON for each line. */
  readonly printed: readonly Readonly<Record<string, unknown>>[];
  /** Opens a connection with these subprotocols, and waits for it. @throws HandshakeRefused */
  open(subprotocols?: readonly string[], options?: OpenOptions): Promise<OpenSocket>;
  /** Calls the management of connections, signed as a function or as nobody. */
  manage(method: string, path: string, call?: ManagementCall): Promise<ManagementAnswer>;
  stop(): Promise<void>;
  readonly api: WebSocketApi;
}

export interface OpenOptions extends ClientOptions {
  readonly query?: string;
  readonly path?: string;
}

export interface ManagementCall {
  readonly body?: string;
  /** The function that signs, or the operator, who may do all; null leaves the call unsigned. */
  readonly as?: string | null;
}

export interface ManagementAnswer {
  readonly status: number;
  readonly errorType: string | null;
  readonly text: string;
}

export class HandshakeRefused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`the handshake was answered with ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

export interface OpenSocket {
  readonly socket: WebSocket;
  /** Texts that came so far. */
  readonly received: readonly string[];
  /** Resolves with code and reason once the connection has ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Waits for the end of a handshake. @throws HandshakeRefused */
export async function opened(socket: WebSocket): Promise<OpenSocket> {
  const received: string[] = [];
  socket.on('message', (data: Buffer) => received.push(data.toString()));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.on('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (part: Buffer) => {
        body += part.toString();
      });
      response.once('end', () => reject(new HandshakeRefused(response.statusCode ?? 0, body)));
    });
  });
  return { socket, received, closed };
}

/** It takes seconds, and is always the same. */
let synthesized: Template | undefined;

/** The local stack's WebSocket API with its management of connections, on a template of its own. */
export async function startWebSocketGateway({
  limits = {},
}: {
  readonly limits?: Partial<WebSocketLimits>;
} = {}): Promise<Gateway> {
  synthesized ??= synthesizeTemplate();
  const template = synthesized;
  const definition = webSocketApiOf(template);
  if (!definition) throw new Error('the template has no WebSocket API');
  const callers = callersIn(template);
  const printed: Record<string, unknown>[] = [];
  const log = {
    line: () => undefined,
    output: (_name: string, text: string) => {
      for (const line of text.split('\n')) {
        const value = JSON.parse(line);
        printed.push(value.message ?? value);
      }
    },
  };
  const aws = await startAwsEndpoint();
  const lambda = new Lambda(template, {
    ...{ callers, log, environment: {}, speed: 1 },
    // Not reached: nothing here is invoked as an event.
    queues: {} as Queues,
    localValue: (_name, value) => (value === callbackUrlOf(definition) ? `${aws.url}/live` : value),
  });
  const api = new WebSocketApi(webSocketRoutesOf(template, definition), {
    ...{ lambda, log },
    limits: { ...API_GATEWAY_LIMITS, ...limits },
  });
  aws.serve({
    ...{ callers, lambda, webSockets: api },
    secrets: { get: () => undefined },
    bus: { put: () => [] },
    queues: {} as Queues,
  });
  const front = await startFront(
    0,
    async () => ({ statusCode: 200, headers: {}, body: 'an answer over HTTP' }),
    (request, socket, head) => api.upgrade(request, socket, head),
  );
  const origin = front.url.replace('http:', 'ws:');
  const url = `${origin}/live`;
  return {
    ...{ url, printed, api },
    open(subprotocols = ['tidemark.v1', 'bearer.alice'], { query = '', path = '/live', ...options } = {}) {
      return opened(new WebSocket(`${origin}${path}${query}`, [...subprotocols], options));
    },
    async manage(method, path, { body, as = 'message' } = {}) {
      const target = new URL(aws.url + path);
      const request = new HttpRequest({
        method,
        path: target.pathname,
        headers: { host: target.host },
        body,
      });
      const { headers } = as === null ? request : await signerOf(callers.ofFunction(as)).sign(request);
      const response = await fetch(target, { method, headers, ...(body !== undefined && { body }) });
      return {
        status: response.status,
        errorType: response.headers.get('x-amzn-errortype'),
        text: await response.text(),
      };
    },
    async stop() {
      await api.stop();
      await lambda.stop();
      await Promise.all([front.close(), aws.close()]);
    },
  };
}

function signerOf(credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }) {
  return new SignatureV4({ credentials, region: 'us-east-1', service: 'execute-api', sha256: Sha256 });
}

/** Each function with the policies of its role. */
function callersIn(template: Template): Pick<Callers, 'ofFunction' | 'byAccessKeyId'> {
  const all = [...functionPrincipals(template)].map(([name, principal]) => {
    const accessKeyId = createHash('sha256').update(name).digest('hex').slice(0, 32);
    return { name, accessKeyId, secretAccessKey: `secret of ${name}`, principal };
  });
  all.push({
    ...{ name: 'operator', accessKeyId: 'TheOperator', secretAccessKey: 'secret of the operator' },
    principal: new Principal('arn:of:the-operator', [
      { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['*'], Resource: ['*'] }] },
    ]),
  });
  return {
    ofFunction: (wanted) => {
      const caller = all.find(({ name }) => name === wanted.split(':').at(-1));
      if (!caller) throw new Error(`there is no function ${wanted}`);
      return caller;
    },
    byAccessKeyId: (wanted) => all.find(({ accessKeyId }) => accessKeyId === wanted),
  };
}
