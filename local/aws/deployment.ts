import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import type { Log } from '../command/log.ts';
import type { DataDirectory, FileName } from '../data/data-directory.ts';
import { Journal } from '../data/journal.ts';
import { type Notification, WebhookSink } from '../front/webhook-sink.ts';
import { isOriginOfThisMachine } from '../http/same-machine.ts';
import { queueSourcesOf, streamSourcesOf } from './cloudformation/properties.ts';
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
import { Checkpoints } from './streams/checkpoints.ts';
import { StreamPoller } from './streams/stream-poller.ts';

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
  };
  /** Returns the URL of an issuer's keys. */
  readonly keySetUrl: (issuer: string) => string;
  /** Issuers whose tokens the API accepts, in addition to the template's issuer. */
  readonly otherIssuers: readonly TrustedIssuer[];
  /** The factor by which pauses of queues and of asynchronous invocations are shorter than on AWS. */
  readonly speed: number;
  readonly log: Log;
}

/** The template's tables, functions, bus, stream, queues and API on this machine. */
export interface Deployment {
  readonly tableName: string;
  readonly lambda: Lambda;
  readonly bus: EventBus;
  readonly api: HttpApi;
  readonly queues: Queues;
  readonly webhookSink: WebhookSink;
  /** Starts to read the stream and the queues, and delivers events that the bus has not delivered yet. */
  run(): Promise<void>;
}

/** Deploys the template on this machine. Everything that it starts stops with `resources`; the data stays in the directory. */
export async function deploy(
  template: Template,
  { directory, fresh, engine, callers, endpoints, keySetUrl, otherIssuers, speed, log }: DeploymentOptions,
  resources: AsyncDisposableStack,
): Promise<Deployment> {
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
  });
  const bus = new EventBus(template, {
    events: journal<BusEvent>('events.jsonl'),
    deliveries: journal<Delivery>('deliveries.jsonl'),
    lambda,
    queues,
    log,
  });
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
  return {
    tableName,
    lambda,
    bus,
    api,
    queues,
    webhookSink,
    async run() {
      // Pollers stop before the functions: a poller waits for the function that it has invoked.
      resources.defer(async () => {
        const polled = Promise.all(pollers.map((poller) => poller.stop()));
        await lambda.stop();
        await polled;
      });
      await Promise.all(pollers.map((poller) => poller.start()));
      bus.resume();
    },
  };
}
