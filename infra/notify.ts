import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { FRAMES_QUEUE_URL, WEBHOOK_SECRET_ARN, WEBHOOK_URL } from '../shared/contract/environment.ts';
import { SOURCE } from '../shared/contract/event.ts';
import type { Cache } from './cache.ts';
import type { TidemarkContext } from './context.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import type { Live } from './live.ts';
import { QueuedSubscription } from './queued-subscription.ts';
import { Subscription } from './subscription.ts';
import { QUEUE_FUNCTION_TIMEOUT, WorkQueue } from './work-queue.ts';

export interface NotifyProps {
  readonly context: TidemarkContext;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: EventBus;
  /** Null in a deployment without the WebSocket API. */
  readonly live: Live | null;
}

/** Frames leave in parallel. The wait for a slow connection is bounded. */
const PUSH_TIMEOUT = Duration.seconds(30);

/** The most instances that push frames of the queue at once. Each pushes ten of them in parallel. */
const MAXIMUM_PUSHERS = 20;

const eventPattern = { source: [SOURCE] };

/** Delivers Tidemark's events to notify and to the webhook. */
export class Notify extends Construct {
  /**
   * The secret that signs webhooks, with which the receiver verifies them. It exists without a webhook too: so it stays
   * the same if the webhook is turned off and on again, and the receiver can have it before the first post.
   */
  readonly webhookSecret: Secret;

  constructor(scope: Construct, id: string, props: NotifyProps) {
    super(scope, id);
    const { context, bundles, bus, live } = props;
    this.webhookSecret = this.#createWebhookSecret();
    if (context.events === 'off') return;
    const notify = new TidemarkFunction(this, 'notify', {
      bundles,
      description: live ? 'Pushes what events change to connected clients' : 'Counts and logs events',
      whenItFails: live
        ? 'connected clients see changes late, or when they ask'
        : 'nothing: the log lacks a line',
      ...(live && { timeout: PUSH_TIMEOUT }),
    });
    if (live) this.#addPushes(live, notify, props);
    new Subscription(this, 'Subscription', {
      bus,
      handler: notify,
      description: 'Events of Tidemark go to notify',
      eventPattern,
    });
    if (context.webhookUrl !== undefined) this.#addWebhook(context.webhookUrl, props);
  }

  /** The first frame of a quiet group leaves notify at once. The later ones of a second wait in a queue and leave as one. */
  #addPushes(live: Live, notify: TidemarkFunction, { bundles, ledger, cache }: NotifyProps): void {
    const pushFrames = new TidemarkFunction(this, 'push-frames', {
      bundles,
      description: 'Pushes the frames that were due in a moment',
      whenItFails: 'connected clients see changes late, or when they ask',
      timeout: QUEUE_FUNCTION_TIMEOUT,
    });
    const deadLetters = new DeadLetterQueue(this, 'FramesDeadLetters', 'push-frames-dead-letters');
    const queue = new WorkQueue(this, 'Frames', pushFrames, deadLetters);
    queue.workOff(this, { maximumConcurrency: MAXIMUM_PUSHERS });
    for (const pusher of [notify, pushFrames]) {
      cache.allow(pusher);
      ledger.allow(pusher, ['BatchGetItem', 'DeleteItem', 'GetItem', 'Query']);
      ledger.allowListingMembers(pusher);
      live.allowPushing(pusher);
    }
    notify.addEnvironment(FRAMES_QUEUE_URL, queue.queueUrl);
    notify.allow(['sqs:SendMessage'], queue.queueArn);
  }

  #addWebhook(url: string, { context, bundles, bus }: NotifyProps): void {
    const handler = new TidemarkFunction(this, 'deliver-webhook', {
      bundles,
      description: 'Posts events to the webhook',
      whenItFails: 'events reach the receiver of the webhook late; nothing is lost',
      timeout: QUEUE_FUNCTION_TIMEOUT,
      environment: { [WEBHOOK_URL]: url, [WEBHOOK_SECRET_ARN]: this.webhookSecret.secretArn },
    });
    handler.allow(['secretsmanager:GetSecretValue'], this.webhookSecret.secretArn);
    new QueuedSubscription(this, 'Webhook', {
      bus,
      handler,
      description: 'Events of Tidemark wait for deliver-webhook',
      eventPattern,
      // An instance posts one event at a time.
      maximumConcurrency: context.webhookConcurrency,
      // A batch costs an invocation and two calls of the queue, as much as two events. Ten events share this cost.
      batchingWindow: Duration.seconds(1),
    });
  }

  #createWebhookSecret(): Secret {
    const secret = new Secret(this, 'WebhookSecret', {
      description: 'Signs webhooks as Standard Webhooks prescribes: put `whsec_` before it',
      // 44 letters and digits are the base64 of 33 bytes; Standard Webhooks asks for 24 to 64.
      generateSecretString: { passwordLength: 44, excludePunctuation: true },
      // Without a fixed name: the remains of a failed deployment cannot have the name that the next one needs.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'The receiver of the webhook has the same secret. If a timer changed it on one side only, every signature would fail.',
    });
    return secret;
  }
}
