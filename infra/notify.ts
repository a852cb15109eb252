import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { WEBHOOK_SECRET_ARN, WEBHOOK_URL } from '../shared/contract/environment.ts';
import { SOURCE } from '../shared/contract/event.ts';
import type { TidemarkContext } from './context.ts';
import { TidemarkFunction } from './function.ts';
import { QUEUE_FUNCTION_TIMEOUT, QueuedSubscription } from './queued-subscription.ts';
import { Subscription } from './subscription.ts';

export interface NotifyProps {
  readonly context: TidemarkContext;
  readonly bundles: string;
  readonly bus: EventBus;
}

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
    const { context, bundles, bus } = props;
    this.webhookSecret = this.#createWebhookSecret();
    if (context.events === 'off') return;
    const notify = new TidemarkFunction(this, 'notify', {
      bundles,
      description: 'Counts and logs events',
      whenItFails: 'nothing: the log lacks a line',
    });
    new Subscription(this, 'Subscription', {
      bus,
      handler: notify,
      description: 'Events of Tidemark go to notify',
      eventPattern,
    });
    if (context.webhookUrl !== undefined) this.#addWebhook(context.webhookUrl, props);
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
