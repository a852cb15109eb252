import { fileURLToPath } from 'node:url';
import { Duration, Stack } from 'aws-cdk-lib';
import { TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Architecture, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

export interface SubscriberStackProps {
  /** The output `EventBusName` of the Tidemark stack in the same account and region. */
  readonly eventBusName: string;
}

/** Follows how far each group is read, in a table of its own. It needs no change of the Tidemark stack. */
export class SubscriberStack extends Stack {
  constructor(scope: Construct, id: string, { eventBusName }: SubscriberStackProps) {
    super(scope, id, { description: 'Subscribes to the events of Tidemark' });

    const table = new Table(this, 'Seen', {
      partitionKey: { name: 'groupId', type: AttributeType.STRING },
      sortKey: { name: 'userId', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
    });

    // Events that were given up wait here for a person. The alarm is silent until you give it an action.
    const deadLetters = new Queue(this, 'DeadLetters', { retentionPeriod: Duration.days(14) });
    deadLetters.metricApproximateNumberOfMessagesVisible().createAlarm(this, 'DeadLettersAlarm', {
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });

    // A rule that invokes a function tries three times in three minutes. A queue keeps the events through an outage: an event
    // that fails is received again after ten minutes, 144 times, which is a day.
    const events = new Queue(this, 'Events', {
      visibilityTimeout: Duration.minutes(10),
      retentionPeriod: Duration.days(7),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 144 },
    });

    const handler = new NodejsFunction(this, 'StoreSeen', {
      description: 'Stores how far each group is read',
      entry: fileURLToPath(new URL('./store-seen.ts', import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: Duration.seconds(10),
      environment: { TABLE_NAME: table.tableName },
      // Lambda loads a bundled AWS SDK faster than its own. As ES modules, the SDK leaves out what is not used.
      bundling: {
        format: OutputFormat.ESM,
        mainFields: ['module', 'main'],
        minify: true,
        externalModules: [],
      },
    });
    handler.addToRolePolicy(
      new PolicyStatement({ actions: ['dynamodb:PutItem'], resources: [table.tableArn] }),
    );
    handler.addEventSource(
      new SqsEventSource(events, {
        batchSize: 10,
        // Only the events that failed are received again, and not the whole batch.
        reportBatchItemFailures: true,
        // A burst of events leaves the account's concurrency to other functions.
        maxConcurrency: 5,
      }),
    );

    new Rule(this, 'Rule', {
      description: 'Events of Tidemark wait for StoreSeen',
      eventBus: EventBus.fromEventBusName(this, 'Bus', eventBusName),
      eventPattern: {
        source: ['tidemark'],
        // Name only the types that you handle: events of the others, and of types to come, then cost you nothing.
        detailType: ['WatermarkAdvanced', 'GroupFullyRead'],
        detail: { version: ['1'] },
      },
      // Events that the rule cannot send to the queue within a day go to the dead-letter queue, too.
      targets: [new SqsQueue(events, { deadLetterQueue: deadLetters })],
    });
  }
}
