import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { TidemarkFunction } from './function.ts';
import { Subscription } from './subscription.ts';

export interface NotifyProps {
  readonly bundles: string;
  readonly bus: EventBus;
  readonly webhookUrl: string | undefined;
}

/** Tells the world outside about Tidemark's own events. */
export class Notify extends Construct {
  /** What the webhook's receiver verifies signatures with; none is needed without a webhook. */
  readonly webhookSecret: Secret | undefined;

  constructor(scope: Construct, id: string, { bundles, bus, webhookUrl }: NotifyProps) {
    super(scope, id);
    const handler = new TidemarkFunction(this, 'notify', {
      bundles,
      description: 'Posts events to the webhook',
      whenItFails: 'the receiver of the webhook hears of reads late; nothing is lost',
      timeout: Duration.seconds(15),
    });
    if (webhookUrl !== undefined) {
      this.webhookSecret = this.#createWebhookSecret();
      handler.addEnvironment('WEBHOOK_URL', webhookUrl);
      handler.addEnvironment('WEBHOOK_SECRET_ARN', this.webhookSecret.secretArn);
      handler.allow(['secretsmanager:GetSecretValue'], this.webhookSecret.secretArn);
    }
    new Subscription(this, 'Subscription', {
      bus,
      handler,
      description: 'Events of Tidemark go to notify',
      eventPattern: { source: ['tidemark'] },
    });
  }

  #createWebhookSecret(): Secret {
    const secret = new Secret(this, 'WebhookSecret', {
      description: 'Signs webhooks, by Standard Webhooks: put `whsec_` before it',
      // 44 letters and digits are the base64 of 33 bytes; Standard Webhooks asks for 24 to 64.
      generateSecretString: { passwordLength: 44, excludePunctuation: true },
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'The receiver of the webhook holds the same secret: changed on a timer and on one side only, every signature would fail.',
    });
    return secret;
  }
}
