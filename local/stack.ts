import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { onlyResource } from './aws/cloudformation/properties.ts';
import { joinTemplates, type RawResources, type Template } from './aws/cloudformation/template.ts';
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
import { LOCAL_CONTEXT, synthesize, synthesizeSubscriber } from './aws/synthesis.ts';
import { refuse } from './aws/web-sockets/handshake.ts';
import { API_GATEWAY_LIMITS, type WebSocketLimits } from './aws/web-sockets/limits.ts';
import type { WebSocketApi } from './aws/web-sockets/web-socket-api.ts';
import { durationSince, type Log, silentLog } from './command/log.ts';
import { DataDirectory, type StackDescription } from './data/data-directory.ts';
import { Journal } from './data/journal.ts';
import { allEnded } from './engines/all-ended.ts';
import { forgetCache, startEngines } from './engines/engines.ts';
import { FOREIGN, startFront } from './front/front.ts';
import { inspect, issuerAnswer, json } from './front/inspection.ts';
import { isFromThisMachine } from './http/same-machine.ts';
import { discover } from './identity/discovery.ts';
import { Issuer, keySetUrl } from './identity/issuer.ts';
import { callersOf, issueFor } from './identity/token-callers.ts';
import { Chat, type ChatEntry, FEED_PATH } from './page/chat.ts';
import { isForPage, pageAnswer } from './page/page.ts';
import { isForReference, referenceAnswer } from './reference/reference.ts';

/** A pause of a minute on AWS takes a second here, so that a person can wait for what follows. */
export const DEFAULT_SPEED = 60;

/** The services that functions call. A test can put a proxy before each. */
export type Service = 'upstash' | 'dynamodb' | 'aws' | 'webhook';

export interface StackOptions {
  /** 0 picks a free one. */
  readonly port: number;
  readonly dataDirectory: string;
  /** Deletes the data of earlier runs in the data directory. */
  readonly fresh?: boolean;
  readonly log?: Log;
  /** Called with each step of the start. */
  readonly step?: (text: string) => void;
  /** A running Redis to use instead of an own one. */
  readonly redisUrl?: string | undefined;
  /** A running DynamoDB Local to use instead of an own one. */
  readonly dynamodbEndpoint?: string | undefined;
  /** The URL that events are posted to; by default that of the local webhook. */
  readonly webhookUrl?: string | undefined;
  /** An issuer whose tokens are accepted, in addition to the local issuer. */
  readonly trusts?: { readonly issuer: string; readonly audience: string } | undefined;
  /** Whether an engine that ends is started again. @default true */
  readonly restartEngines?: boolean;
  /** Limits of WebSockets in place of API Gateway's, which take hours to reach. */
  readonly webSocketLimits?: Partial<WebSocketLimits>;
  /** The factor by which pauses of queues and of asynchronous invocations are shorter than on AWS. */
  readonly speed?: number;
  /** Settings of the deployment, in addition to those that the local stack sets. */
  readonly context?: Readonly<Record<string, string>>;
  /** The folders of CDK apps whose stacks subscribe to the bus. They are deployed beside Tidemark's stack. */
  readonly subscribers?: readonly string[];
  /** Changes the template's resources before they are deployed. */
  readonly changeResources?: (resources: RawResources) => RawResources;
  /** Returns the URL that functions use for a service, such as that of a proxy in front of `url`. */
  readonly intercept?: (service: Service, url: string) => string;
}

export interface Stack {
  /** The current description: an engine that is started again has another process id. */
  readonly description: StackDescription;
  readonly lambda: Lambda;
  readonly bus: EventBus;
  readonly queues: Queues;
  /** The permissions of the functions' roles, each with whether a call has needed it since the start. */
  grants(): FunctionGrant[];
  issueToken(subject: string, kind: 'user' | 'service'): Promise<string>;
  stop(): Promise<void>;
}

/** Starts all of Tidemark on this machine: the synthesized template, its bundles and the engines. */
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
  let chat: Chat | null = null;
  const front = await startFront(
    options.port,
    async (request) => {
      const path = pathOf(request);
      const isLocal =
        path.startsWith('/_local/') || isForPage(path, request) || isForReference(path, request);
      if (isLocal && !isFromThisMachine(request)) return json(403, FOREIGN);
      // Also while the stack starts: with this route a second stack checks whether the data directory is in use.
      return path === '/_local/stack' ? json(200, { pid: process.pid }) : serve(path, request);
    },
    async (request, socket, head) => {
      if (chat && pathOf(request) === FEED_PATH) chat.upgrade(request, socket, head);
      else if (webSockets) await webSockets.upgrade(request, socket, head);
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
  step('1 of 2: starting the engines, and synthesizing the template and its bundles');
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
        // Without events a webhook is refused.
        ...(options.context?.events !== 'off' && {
          webhookUrl: intercept('webhook', options.webhookUrl ?? `${front.url}/_local/webhook`),
        }),
        ...options.context,
      },
      options.changeResources,
    ).then((own) => withSubscribers(own, options.subscribers ?? [], directory)),
  ]);
  if (fresh) await forgetCache(engines.redis.url);

  const { url, token } = engines.upstash;
  secrets.addAll(template);
  secrets.set(UPSTASH_SECRET_ARN, JSON.stringify({ url: intercept('upstash', url), token }));
  step('2 of 2: deploying the template: table, functions, events, API');
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
  const issueToken = (subject: string, kind: 'user' | 'service') =>
    issueFor(issuer, tokenCallers, subject, kind);
  const journal = new Journal<ChatEntry>(directory.file('chat.jsonl'));
  resources.defer(() => journal.close());
  const ownChat = new Chat({ apiUrl: front.url, issueToken, journal, log });
  resources.defer(() => ownChat.close());
  const inspected = {
    ...deployment,
    chat: ownChat,
    issueToken,
    otherReceiver: options.webhookUrl ?? null,
  };
  const wsPath = deployment.webSockets && `/${deployment.webSockets.stage}`;
  const stopping = new AbortController();
  serve = async (path, request) => {
    if (path.startsWith('/_local/')) {
      return issuerAnswer(path, issuer, front.url) ?? inspect(request, inspected);
    }
    if (isForPage(path, request)) return pageAnswer(path, request, wsPath);
    return isForReference(path, request)
      ? referenceAnswer(path, request)
      : callApi(deployment, log, stopping.signal, path, request);
  };
  await deployment.run();
  webSockets = deployment.webSockets;
  chat = ownChat;
  ownChat.resume();
  const wsUrl = wsPath === null ? null : front.url.replace('http:', 'ws:') + wsPath;
  // Before the functions stop: a request that they cut off then gets 503 and not 500.
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
    ...{ lambda, bus, queues, issueToken, stop },
    grants: () => callers.grants(),
  };
}

/** The template of the deployment with those of the subscribers beside it. */
async function withSubscribers(
  own: Template,
  folders: readonly string[],
  directory: DataDirectory,
): Promise<Template> {
  const { Name: busName } = onlyResource(own, 'AWS::Events::EventBus').properties;
  const templates = folders.map((folder, index) =>
    synthesizeSubscriber(folder, join(directory.file('subscribers.out'), String(index)), busName),
  );
  return joinTemplates(own, await allEnded(templates));
}

function pathOf({ url = '' }: IncomingMessage): string {
  const [path = ''] = url.split('?');
  return path;
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
  log.line(`${request.method} ${path} ${response.statusCode} ${durationSince(begun)}`);
  return response;
}
