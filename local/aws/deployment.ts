import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import * as v from 'valibot';
import type { Log } from '../command/log.ts';
import type { DataDirectory, FileName } from '../data/data-directory.ts';
import { Journal } from '../data/journal.ts';
import { type Notification, WebhookSink } from '../front/webhook-sink.ts';
import { isOriginOfThisMachine } from '../http/same-machine.ts';
import { queueSourcesOf, streamSourcesOf, webSocketApiOf } from './cloudformation/properties.ts';
import { REGION, type Template } from './cloudformation/template.ts';
import type { Credentials } from './credentials.ts';
import { type BusEvent, type Delivery, EventBus } from './events/event-bus.ts';
import { HttpApi } from './gateway/http-api.ts';
import type { TrustedIssuer } from './gateway/jwt-authorizer.ts';
import type { Callers } from './iam/callers.ts';
import { Lambda } from './lambda/lambda.ts';
import { ensureTables } from './ledger-table.ts';
import { MessageStore } from './queues/message-store.ts';
import { QueuePoller } from './queues/queue-poller.ts';
import { Queues } from './queues/queues.ts';
import { Schedules } from './schedules/schedules.ts';
import { Checkpoints } from './streams/checkpoints.ts';
import { StreamPoller } from './streams/stream-poller.ts';
import type { WebSocketLimits } from './web-sockets/limits.ts';
import { callbackUrlOf, stageOf, webSocketRoutesOf } from './web-sockets/routes.ts';
import { WebSocketApi } from './web-sockets/web-socket-api.ts';

export interface DeploymentOptions {
  readonly directory: DataDirectory;
  /** Whether to delete the table of an earlier run first. */
  readonly fresh: boolean;
  /** DynamoDB Local itself, with the access key that owns its database. The stack creates the table and reads the stream. */
  readonly engine: { readonly endpoint: string; readonly credentials: Credentials };
  /** The callers of AWS services, with their permissions. */
  readonly callers: Callers;
  /** The URLs of the AWS services that functions call. */
  readonly endpoints: {
    readonly dynamodb: string;
    readonly secretsManager: string;
    readonly eventBridge: string;
    readonly sqs: string;
    /** Where connections of the WebSocket API are managed, under its stage. */
    readonly executeApi: string;
  };
  /** Returns the URL of an issuer's keys. */
  readonly keySetUrl: (issuer: string) => string;
  /** Issuers whose tokens the API accepts, in addition to the template's issuer. */
  readonly otherIssuers: readonly TrustedIssuer[];
  /** The factor by which pauses of queues and of asynchronous invocations are shorter than on AWS. */
  readonly speed: number;
  readonly webSocketLimits: WebSocketLimits;
  readonly log: Log;
}

/** The template's tables, functions, bus, stream, queues and API on this machine. */
export interface Deployment {
  readonly tableName: string;
  readonly lambda: Lambda;
  readonly bus: EventBus;
  readonly api: HttpApi;
  /** Null where the template has no WebSocket API. */
  readonly webSockets: WebSocketApi | null;
  readonly queues: Queues;
  readonly schedules: Schedules;
  readonly webhookSink: WebhookSink;
  /** Starts to read the stream and the queues, and delivers events that the bus has not delivered yet. */
  run(): Promise<void>;
}

/** The variable with the issuers whose tokens open a connection. */
const TOKEN_ISSUERS = 'TOKEN_ISSUERS';

const TokenIssuers = v.pipe(
  v.string(),
  v.parseJson(),
  v.array(v.strictObject({ issuer: v.string(), audience: v.array(v.string()) })),
);

/** The issuers with the addresses of their keys, and those whose tokens the HTTP API takes as well. */
function withLocalIssuers(
  given: string,
  { keySetUrl, otherIssuers }: Pick<DeploymentOptions, 'keySetUrl' | 'otherIssuers'>,
): string {
  return JSON.stringify([
    ...v.parse(TokenIssuers, given).map((one) => ({ ...one, keysUrl: keySetUrl(one.issuer) })),
    ...otherIssuers.map(({ issuer, audiences: audience, keySetUrl: keysUrl }) => ({
      issuer,
      audience,
      keysUrl,
    })),
  ]);
}

/** Deploys the template on this machine. Everything that it starts stops with `resources`; the data stays in the directory. */
export async function deploy(
  template: Template,
  options: DeploymentOptions,
  resources: AsyncDisposableStack,
): Promise<Deployment> {
  const { directory, fresh, engine, callers, endpoints, keySetUrl, otherIssuers, speed, log } = options;
  const client = { region: REGION, ...engine };
  const dynamodb = resources.adopt(new DynamoDBClient(client), (tables) => tables.destroy());
  const streams = resources.adopt(new DynamoDBStreamsClient(client), (opened) => opened.destroy());
  const journal = <T>(name: FileName) =>
    resources.adopt(new Journal<T>(directory.file(name)), (opened) => opened.close());

  const tableName = await ensureTables(dynamodb, template, fresh);
  const webhookSink = new WebhookSink(journal<Notification>('notifications.jsonl'), log);
  const messages = resources.adopt(new MessageStore(directory.file('queues.jsonl')), (opened) =>
    opened.close(),
  );
  const queues = new Queues(template, messages, { nowMs: Date.now, speed });
  const webSocketApi = webSocketApiOf(template);
  const callbackUrl = webSocketApi && callbackUrlOf(webSocketApi);
  const lambda = new Lambda(template, {
    callers,
    queues,
    speed,
    log,
    environment: {
      AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.secretsManager,
      AWS_ENDPOINT_URL_EVENTBRIDGE: endpoints.eventBridge,
      AWS_ENDPOINT_URL_SQS: endpoints.sqs,
    },
    localValue: (name, value) => {
      // The SDK knows no address for this service: the functions give it the one that the template has.
      if (webSocketApi && value === callbackUrl) return `${endpoints.executeApi}/${stageOf(webSocketApi)}`;
      return name === TOKEN_ISSUERS ? withLocalIssuers(value, options) : value;
    },
  });
  const bus = new EventBus(template, {
    events: journal<BusEvent>('events.jsonl'),
    deliveries: journal<Delivery>('deliveries.jsonl'),
    lambda,
    queues,
    log,
  });
  const schedules = new Schedules(template, { lambda, log, nowMs: Date.now });
  const checkpoints = new Checkpoints(directory.file('checkpoints.json'));
  const polling = { dynamodb, streams, tableName, lambda, callers, queues, checkpoints, log };
  const pollers = [
    ...streamSourcesOf(template).map((source) => new StreamPoller(source, polling)),
    ...queueSourcesOf(template).map(
      (source) => new QueuePoller(source, { queues, lambda, callers, speed, log }),
    ),
  ];
  const api = new HttpApi(template, lambda, keySetUrl, {
    alsoAllowsOrigin: isOriginOfThisMachine,
    otherIssuers,
    backEnd: callers.backEnd,
  });
  const webSockets =
    webSocketApi &&
    new WebSocketApi(webSocketRoutesOf(template, webSocketApi), {
      ...{ lambda, log },
      limits: options.webSocketLimits,
    });
  return {
    tableName,
    lambda,
    bus,
    api,
    webSockets,
    queues,
    schedules,
    webhookSink,
    async run() {
      // Pollers and schedules stop before the functions: each waits for the function that it has invoked.
      resources.defer(async () => {
        const ended = Promise.all([schedules.stop(), ...pollers.map((poller) => poller.stop())]);
        await lambda.stop();
        await ended;
      });
      // Before the functions, which $disconnect needs.
      resources.defer(() => webSockets?.stop());
      await Promise.all(pollers.map((poller) => poller.start()));
      bus.resume();
      schedules.start();
    },
  };
}
