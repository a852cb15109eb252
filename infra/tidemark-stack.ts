import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Api } from './api.ts';
import { Bus } from './bus.ts';
import { Cache } from './cache.ts';
import type { TidemarkContext } from './context.ts';
import { Erasure } from './erasure.ts';
import { Facts } from './facts.ts';
import { Ledger } from './ledger.ts';
import { Live } from './live.ts';
import { Notify } from './notify.ts';
import { Observability } from './observability.ts';
import { Projection } from './projection.ts';
import { Publication } from './publication.ts';
import { Reminders } from './reminders.ts';

export interface TidemarkStackProps {
  readonly context: TidemarkContext;
  /** The folder of all bundles, as `bundleFunctions` returns it. */
  readonly bundles: string;
}

/** Tidemark in one account and region. */
export class TidemarkStack extends Stack {
  constructor(scope: Construct, { context, bundles }: TidemarkStackProps) {
    super(scope, `tidemark-${context.stage}`, { description: 'Tidemark: read state for group chat' });
    const ledger = new Ledger(this, 'Ledger', context.messageRetentionDays);
    const cache = new Cache(context.upstashSecretArn);
    const bus = new Bus(this, 'Bus', { eventBusName: this.stackName });
    const { httpApi, serviceRouteArns } = new Api(this, 'Api', { context, bundles, ledger, cache });
    const publishes = context.events === 'on';
    const { projector } = new Projection(this, 'Projection', {
      bundles,
      ledger,
      cache,
      bus: publishes ? bus : null,
    });
    if (publishes) new Publication(this, 'Publication', { bundles, ledger, bus });
    const reminders = publishes ? new Reminders(this, 'Reminders', { bundles, ledger, cache, bus }) : null;
    new Facts(this, 'Facts', { source: context.factsSource, bundles, ledger, cache, bus });
    const live = context.live === 'on' ? new Live(this, 'Live', { context, bundles, ledger, cache }) : null;
    new Erasure(this, 'Erasure', { bundles, ledger, cache, live, starter: projector });
    const { webhookSecret } = new Notify(this, 'Notify', { context, bundles, ledger, cache, bus, live });
    new Observability(this, 'Observability', {
      ...{ context, httpApi, reminders },
      webSocketApi: live?.webSocketApi ?? null,
    });

    new CfnOutput(this, 'ApiUrl', { value: httpApi.apiEndpoint });
    if (live) new CfnOutput(this, 'WebSocketUrl', { value: live.url });
    new CfnOutput(this, 'TableName', { value: ledger.tableName });
    new CfnOutput(this, 'EventBusName', { value: bus.eventBusName });
    if (serviceRouteArns !== undefined) {
      new CfnOutput(this, 'ServiceRouteArns', {
        description: 'The ARNs for which the role of a back end needs execute-api:Invoke',
        value: serviceRouteArns.join(','),
      });
    }
    new CfnOutput(this, 'WebhookSecretArn', { value: webhookSecret.secretArn });
  }
}
