import type { IncomingMessage } from 'node:http';
import type { RawResources } from './aws/cloudformation/template.ts';
import { ledgerOwner } from './aws/credentials.ts';
import { type Deployment, deploy } from './aws/deployment.ts';
import { startAwsEndpoint } from './aws/endpoint.ts';
import type { EventBus } from './aws/events/event-bus.ts';
import type { ProxyResponse } from './aws/gateway/http-api.ts';
import { gatewayProblem } from './aws/gateway/problem.ts';
import { Callers, type FunctionGrant } from './aws/iam/callers.ts';
import { startDynamoDbFront } from './aws/iam/dynamodb-front.ts';
import type { Lambda } from './aws/lambda/lambda.ts';
import type { Queues } from './aws/queues/queues.ts';
import { Secrets, UPSTASH_SECRET_ARN } from './aws/secrets.ts';
import { LOCAL_CONTEXT, synthesize } from './aws/synthesis.ts';
import { refuse } from './aws/web-sockets/handshake.ts';
import { API_GATEWAY_LIMITS, type WebSocketLimits } from './aws/web-sockets/limits.ts';
import type { WebSocketApi } from './aws/web-sockets/web-socket-api.ts';
import { type Log, silentLog } from './command/log.ts';
import { DataDirectory, type StackDescription } from './data/data-directory.ts';
import { allEnded } from './engines/all-ended.ts';
import { forgetCache, startEngines } from './engines/engines.ts';
import { FOREIGN, startFront } from './front/front.ts';
import { inspect, issuerAnswer, json } from './front/inspection.ts';
import { isFromThisMachine } from './http/same-machine.ts';
import { discover } from './identity/discovery.ts';
import { Issuer, keySetUrl } from './identity/issuer.ts';
import { callersOf, issueFor } from './identity/token-callers.ts';

/** A minute of AWS's pauses takes a second here, so that a person sees what follows them. */
export const DEFAULT_SPEED = 60;

/** The services that functions call. A test may put a proxy before each. */
export type Service = 'upstash' | 'dynamodb' | 'aws' | 'webhook';

export interface StackOptions {
  /** 0 picks a free one. */
  readonly port: number;
  readonly dataDirectory: string;
  /** Forgets what an earlier run left in the data directory. */
  readonly fresh?: boolean;
  readonly log?: Log;
  /** Called with each step of the start. */
  readonly step?: (text: string) => void;
  /** Engines that run already. */
  readonly redisUrl?: string | undefined;
  readonly dynamodbEndpoint?: string | undefined;
  /** Where events are posted; without it, to the local sink. */
  readonly webhookUrl?: string | undefined;
  /** An issuer whose tokens are taken besides those of the local one. */
  readonly trusts?: { readonly issuer: string; readonly audience: string } | undefined;
  /** False leaves an engine that ends as it is. */
  readonly restartEngines?: boolean;
  /** Other limits of a WebSocket than API Gateway's, which take hours to reach. */
  readonly webSocketLimits?: Partial<WebSocketLimits>;
  /** How many times faster than on AWS pauses pass: those of queues and between tries of asynchronous invocations. */
  readonly speed?: number;
  /** Settings of the deployment besides those that the local stack needs. */
  readonly context?: Readonly<Record<string, string>>;
  /** Deploys other resources than those of the template, given these. */
  readonly changeResources?: (resources: RawResources) => RawResources;
  readonly intercept?: (service: Service, url: string) => string;
}

export interface Stack {
  /** As it is now: the process of an engine changes when it is started again. */
  readonly description: StackDescription;
  readonly lambda: Lambda;
  readonly bus: EventBus;
  readonly queues: Queues;
  /** What the roles of the functions allow, each with whether a call needed it since the start. */
  grants(): FunctionGrant[];
  issueToken(subject: string, kind: 'user' | 'service'): Promise<string>;
  stop(): Promise<void>;
}

/** Starts the whole of Tidemark on this machine: the synthesized template, its bundles and the engines. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const resources = new AsyncDisposableStack();
  const stop = () => resources.disposeAsync();
  try {
    return await start(options, resources, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  options: StackOptions,
  resources: AsyncDisposableStack,
  stop: () => Promise<void>,
): Promise<Stack> {
  const {
    log = silentLog,
    step = () => undefined,
    fresh = false,
    intercept = (_service, url) => url,
  } = options;
  let serve: Serve = async () => gatewayProblem(503, 'The stack is starting.', '');
  let webSockets: WebSocketApi | null = null;
  const front = await startFront(
    options.port,
    async (request) => {
      const [path = ''] = (request.url ?? '').split('?');
      if (path.startsWith('/_local/') && !isFromThisMachine(request)) return json(403, FOREIGN);
      // Also while the stack starts: a second stack checks this way whether the data directory is in use.
      return path === '/_local/stack' ? json(200, { pid: process.pid }) : serve(path, request);
    },
    async (request, socket, head) => {
      if (webSockets) await webSockets.upgrade(request, socket, head);
      else refuse(socket, 503, '{"message":"There is no WebSocket API."}');
    },
  );
  resources.defer(() => front.close());

  const directory = new DataDirectory(options.dataDirectory);
  await directory.claim(`${front.url}/_local/stack`);
  resources.defer(() => directory.release());
  if (fresh) {
    directory.forget();
    await directory.claim(`${front.url}/_local/stack`);
  }

  const { trusts } = options;
  const otherIssuers = trusts ? [await discover(trusts.issuer, trusts.audience)] : [];
  const issuer = await Issuer.open(directory.path);
  const secrets = new Secrets(directory.file('secrets.json'));
  const owner = ledgerOwner(secrets);
  step('1 of 2: starts the engines, and synthesizes the template with its bundles');
  const [engines, aws, template] = await allEnded([
    startEngines(
      {
        redisUrl: options.redisUrl,
        dynamodbEndpoint: options.dynamodbEndpoint,
        dynamodbDirectory: directory.file('dynamodb'),
        accessKeyId: owner.accessKeyId,
        redisPassword: secrets.generate('redis', 40),
        upstashToken: secrets.generate('upstash', 40),
        restart: options.restartEngines ?? true,
        log: (line) => log.line(line),
      },
      resources,
    ),
    startAwsEndpoint().then((endpoint) => resources.adopt(endpoint, () => endpoint.close())),
    synthesize(
      directory.file('cdk.out'),
      {
        ...LOCAL_CONTEXT,
        // Without events there is no webhook either.
        ...(options.context?.events !== 'off' && {
          webhookUrl: intercept('webhook', options.webhookUrl ?? `${front.url}/_local/webhook`),
        }),
        ...options.context,
      },
      options.changeResources,
    ),
  ]);
  if (fresh) await forgetCache(engines.redis.url);

  const { url, token } = engines.upstash;
  secrets.addAll(template);
  secrets.set(UPSTASH_SECRET_ARN, JSON.stringify({ url: intercept('upstash', url), token }));
  step('2 of 2: deploys the template: table, functions, events, API');
  const awsUrl = intercept('aws', aws.url);
  const callers = new Callers(template, secrets);
  const dynamodb = await startDynamoDbFront({
    engineEndpoint: engines.dynamodb.endpoint,
    ownerAccessKeyId: owner.accessKeyId,
    callers,
  });
  resources.defer(() => dynamodb.close());
  const deployment = await deploy(
    template,
    {
      ...{ directory, fresh, log },
      speed: options.speed ?? DEFAULT_SPEED,
      engine: { endpoint: engines.dynamodb.endpoint, credentials: owner },
      callers,
      endpoints: {
        dynamodb: intercept('dynamodb', dynamodb.url),
        secretsManager: awsUrl,
        eventBridge: awsUrl,
        sqs: awsUrl,
        executeApi: awsUrl,
      },
      webSocketLimits: { ...API_GATEWAY_LIMITS, ...options.webSocketLimits },
      keySetUrl: (issuerUrl) => keySetUrl(issuerUrl, front.url),
      otherIssuers,
    },
    resources,
  );
  const { tableName, lambda, bus, queues } = deployment;
  const tokenCallers = callersOf(template);
  aws.serve({ callers, secrets, bus, queues, lambda, webSockets: deployment.webSockets });
  const inspected = { ...deployment, otherReceiver: options.webhookUrl ?? null };
  const stopping = new AbortController();
  serve = async (path, request) =>
    path.startsWith('/_local/')
      ? (issuerAnswer(path, issuer, front.url) ?? inspect(request, inspected))
      : callApi(deployment, log, stopping.signal, path, request);
  await deployment.run();
  webSockets = deployment.webSockets;
  const wsUrl = webSockets ? `${front.url.replace('http:', 'ws:')}/${webSockets.stage}` : null;
  // First of all: a function that is ended in the middle of a request looks as if it had failed.
  resources.defer(() => stopping.abort());

  const describe = (): StackDescription => ({
    apiUrl: front.url,
    wsUrl,
    pid: process.pid,
    redis: engines.redis,
    upstash: engines.upstash,
    dynamodb: {
      endpoint: dynamodb.url,
      engineEndpoint: engines.dynamodb.endpoint,
      table: tableName,
      pid: engines.dynamodb.pid,
    },
    eventbridge: { endpoint: aws.url, bus: bus.name },
    credentials: {
      accessKeyId: callers.backEnd.accessKeyId,
      secretAccessKey: callers.backEnd.secretAccessKey,
    },
  });
  directory.describe(describe());
  engines.onRestart(() => directory.describe(describe()));
  return {
    get description() {
      return describe();
    },
    ...{ lambda, bus, queues, stop },
    grants: () => callers.grants(),
    issueToken: (subject, kind) => issueFor(issuer, tokenCallers, subject, kind),
  };
}

type Serve = (path: string, request: IncomingMessage) => Promise<ProxyResponse>;

async function callApi(
  { api }: Deployment,
  log: Log,
  stopping: AbortSignal,
  path: string,
  request: IncomingMessage,
): Promise<ProxyResponse> {
  if (stopping.aborted) return gatewayProblem(503, 'The stack is stopping.', '');
  const begun = performance.now();
  const handled = await api.handle(request);
  const isCutOff = stopping.aborted && handled.statusCode >= 500;
  const response = isCutOff ? gatewayProblem(503, 'The stack is stopping.', '') : handled;
  const took = performance.now() - begun;
  log.line(`${request.method} ${path} ${response.statusCode} ${took.toFixed(took < 10 ? 1 : 0)} ms`);
  return response;
}
