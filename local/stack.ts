import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { Redis } from 'ioredis';
import { startAwsEndpoint } from './aws-endpoint.ts';
import { resourcesOf } from './cloudformation/properties.ts';
import { REGION } from './cloudformation/template.ts';
import { DataDirectory, type FileName, type StackDescription } from './data-directory.ts';
import { startDynamoDbLocal } from './engines/dynamodb-local.ts';
import { startRedis } from './engines/redis.ts';
import { startUpstashRest } from './engines/upstash-rest.ts';
import { type DeadLetter, DeadLetters } from './events/dead-letters.ts';
import { type BusEvent, type Delivery, EventBus } from './events/event-bus.ts';
import { Journal } from './events/journal.ts';
import { startFront } from './front.ts';
import { HttpApi, type ProxyResponse } from './http/http-api.ts';
import { AUDIENCE, ISSUER, Issuer, SCOPES } from './http/issuer.ts';
import { gatewayProblem } from './http/problem.ts';
import { type Inspected, inspect, issuerAnswer, json, type Notification } from './inspection.ts';
import { Lambda } from './lambda/lambda.ts';
import { ensureTable } from './ledger-table.ts';
import { type Log, silentLog } from './log.ts';
import { Secrets, UPSTASH_SECRET_ARN } from './secrets.ts';
import { Checkpoints } from './streams/checkpoints.ts';
import { StreamPoller } from './streams/stream-poller.ts';
import { synthesize } from './synthesis.ts';

/** What functions talk to. A test may put something of its own between. */
export type Service = 'upstash' | 'dynamodb' | 'aws' | 'webhook';

export interface StackOptions {
  /** 0 picks a free one. */
  readonly port: number;
  readonly dataDirectory: string;
  /** Forgets what an earlier run left in the data directory. */
  readonly fresh?: boolean;
  readonly log?: Log;
  /** Engines that run already. */
  readonly redisUrl?: string | undefined;
  readonly dynamodbEndpoint?: string | undefined;
  /** What the deployment is told besides what the local stack needs. */
  readonly context?: Readonly<Record<string, string>>;
  readonly intercept?: (service: Service, url: string) => string;
}

export interface Stack {
  readonly description: StackDescription;
  readonly lambda: Lambda;
  readonly bus: EventBus;
  issueToken(subject: string, scope: keyof typeof SCOPES): Promise<string>;
  stop(): Promise<void>;
}

const PRIVATE_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** Starts the whole of Tidemark on this machine: the synthesized template, its bundles and the engines. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { log = silentLog, intercept = (_service, url) => url } = options;
  /** What is to be undone, in the order of starting. */
  const stops: (() => unknown)[] = [];
  const stop = async () => {
    for (const undo of stops.splice(0).reverse()) await undo();
  };
  try {
    return await start();
  } catch (error) {
    await stop();
    throw error;
  }

  async function start(): Promise<Stack> {
    const beforeServing = (path: string): ProxyResponse =>
      path === '/_local/stack'
        ? json(200, { pid: process.pid })
        : gatewayProblem(503, 'The stack is starting.', '');
    let serve: ((path: string, request: Parameters<typeof inspect>[0]) => Promise<ProxyResponse>) | null =
      null;
    const front = await startFront(options.port, async (request) => {
      const [path = ''] = (request.url ?? '').split('?');
      return serve && path !== '/_local/stack' ? serve(path, request) : beforeServing(path);
    });
    stops.push(() => front.close());

    const directory = new DataDirectory(options.dataDirectory);
    await directory.claim(`${front.url}/_local/stack`);
    stops.push(() => directory.release());
    if (options.fresh) {
      directory.forget();
      await directory.claim(`${front.url}/_local/stack`);
    }

    const issuer = await Issuer.open(directory.path);
    const secrets = new Secrets(directory.file('secrets.json'));
    const upstashToken = secrets.generate('upstash', 40);
    const started = await Promise.allSettled([
      startLedgerEngine(directory),
      startCacheEngine(upstashToken),
      startAwsEndpoint().then((endpoint) => {
        stops.push(() => endpoint.close());
        return endpoint;
      }),
      synthesize(directory.file('cdk.out'), {
        stage: 'local',
        jwtIssuer: ISSUER,
        jwtAudience: AUDIENCE,
        upstashSecretArn: UPSTASH_SECRET_ARN,
        webhookUrl: intercept('webhook', `${front.url}/_local/webhook`),
        ...options.context,
      }),
    ]);
    // Only once all have come to an end is it known what is to be stopped.
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    const [dynamodb, cache, aws, template] = started.map((result) =>
      result.status === 'fulfilled' ? result.value : null,
    ) as [
      Engine,
      CacheEngine,
      Awaited<ReturnType<typeof startAwsEndpoint>>,
      Awaited<ReturnType<typeof synthesize>>,
    ];

    secrets.addAll(template);
    secrets.set(
      UPSTASH_SECRET_ARN,
      JSON.stringify({ url: intercept('upstash', cache.upstashUrl), token: upstashToken }),
    );
    const client = { region: REGION, endpoint: dynamodb.endpoint, credentials: PRIVATE_CREDENTIALS };
    const tables = new DynamoDBClient(client);
    const streams = new DynamoDBStreamsClient(client);
    stops.push(
      () => tables.destroy(),
      () => streams.destroy(),
    );
    const tableName = await ensureTable(tables, template, options.fresh ?? false);
    if (options.fresh) await forgetCache(cache.redis.url);

    const journal = <T>(name: FileName) => {
      const opened = new Journal<T>(directory.file(name));
      stops.push(() => opened.close());
      return opened;
    };
    const notifications = journal<Notification>('notifications.jsonl');
    const deadLetters = new DeadLetters(
      journal<DeadLetter>('dead-letters.jsonl'),
      resourcesOf(template, 'AWS::SQS::Queue').map(({ properties }) => properties.QueueName),
    );
    const awsUrl = intercept('aws', aws.url);
    const lambda = new Lambda(template, {
      deadLetters,
      log,
      environment: {
        AWS_ACCESS_KEY_ID: PRIVATE_CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: PRIVATE_CREDENTIALS.secretAccessKey,
        AWS_ENDPOINT_URL_DYNAMODB: intercept('dynamodb', dynamodb.endpoint),
        AWS_ENDPOINT_URL_SECRETS_MANAGER: awsUrl,
        AWS_ENDPOINT_URL_EVENTBRIDGE: awsUrl,
      },
    });
    const bus = new EventBus(template, {
      events: journal<BusEvent>('events.jsonl'),
      deliveries: journal<Delivery>('deliveries.jsonl'),
      lambda,
      deadLetters,
      log,
    });
    aws.serve({ secrets, bus });
    const poller = new StreamPoller(template, {
      dynamodb: tables,
      streams,
      tableName,
      lambda,
      deadLetters,
      checkpoints: new Checkpoints(directory.file('checkpoints.json')),
      log,
    });
    const api = new HttpApi(template, lambda, (issuerUrl) =>
      issuerUrl === ISSUER
        ? `${front.url}/_local/issuer/.well-known/jwks.json`
        : `${issuerUrl.replace(/\/$/, '')}/.well-known/jwks.json`,
    );
    const inspected: Inspected = { bus, lambda, deadLetters, notifications, log };
    serve = async (path, request) => {
      if (path.startsWith('/_local/')) {
        return issuerAnswer(path, issuer, front.url) ?? inspect(request, inspected);
      }
      const begun = performance.now();
      const response = await api.handle(request);
      const took = performance.now() - begun;
      log.line(`${request.method} ${path} ${response.statusCode} ${took.toFixed(took < 10 ? 1 : 0)} ms`);
      return response;
    };
    await poller.start();
    // The poller waits for a function that runs: it is told to end first, and then the functions are ended.
    stops.push(async () => {
      const polled = poller.stop();
      await lambda.stop();
      await polled;
    });
    bus.resume();

    const description: StackDescription = {
      apiUrl: front.url,
      wsUrl: null,
      pid: process.pid,
      redis: cache.redis,
      upstash: { url: cache.upstashUrl, token: upstashToken },
      dynamodb: { endpoint: dynamodb.endpoint, table: tableName, pid: dynamodb.pid },
      eventbridge: { endpoint: aws.url, bus: bus.name },
    };
    directory.describe(description);
    return {
      description,
      lambda,
      bus,
      stop,
      issueToken: (subject, scope) => issuer.issue(subject, SCOPES[scope]),
    };
  }

  async function startLedgerEngine(directory: DataDirectory): Promise<Engine> {
    if (options.dynamodbEndpoint) return { endpoint: options.dynamodbEndpoint, pid: null };
    const engine = await startDynamoDbLocal({ dataDirectory: directory.file('dynamodb') });
    stops.push(() => engine.stop());
    return { endpoint: engine.endpoint, pid: engine.pid };
  }

  async function startCacheEngine(token: string): Promise<CacheEngine> {
    const redis = await startRedis({ url: options.redisUrl });
    stops.push(() => redis.stop());
    const upstash = await startUpstashRest({ redisUrl: redis.url, token });
    stops.push(() => upstash.close());
    return { redis: { engine: redis.engine, url: redis.url, pid: redis.pid }, upstashUrl: upstash.url };
  }
}

/** A Redis that was given may hold what an earlier ledger said; a cache must not be ahead of its ledger. */
async function forgetCache(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  for await (const keys of redis.scanStream({ match: 'tm:*', count: 1_000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await redis.unlink(keys);
  }
  redis.disconnect();
}

interface Engine {
  readonly endpoint: string;
  readonly pid: number | null;
}

interface CacheEngine {
  readonly redis: StackDescription['redis'];
  readonly upstashUrl: string;
}
