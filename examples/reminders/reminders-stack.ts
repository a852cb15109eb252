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

export interface RemindersStackProps {
  /** The output `EventBusName` of the Tidemark stack in the same account and region. */
  readonly eventBusName: string;
  /** Mails are posted here, as `{ userId, messages: [{ groupId, messageId }] }`. */
  readonly mailUrl: string;
}

/** Sends a user one mail about all messages that were left unread for some time. It needs no change of the Tidemark stack. */
export class RemindersStack extends Stack {
  constructor(scope: Construct, id: string, { eventBusName, mailUrl }: RemindersStackProps) {
    super(scope, id, { description: 'Sends mails about unread messages' });

    // Which messages a user has had a mail about, for a day: events come at least once.
    const table = new Table(this, 'Mailed', {
      partitionKey: { name: 'userId', type: AttributeType.STRING },
      sortKey: { name: 'message', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: 'expiresAt',
    });

    // Events that were given up wait here for a person. The alarm is silent until you give it an action.
    const deadLetters = new Queue(this, 'DeadLetters', { retentionPeriod: Duration.days(14) });
    deadLetters.metricApproximateNumberOfMessagesVisible().createAlarm(this, 'DeadLettersAlarm', {
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });

    const events = new Queue(this, 'Events', {
      // Longer than the five minutes of a batch and the function's timeout together.
      visibilityTimeout: Duration.minutes(15),
      retentionPeriod: Duration.days(7),
      // A mail that fails is tried again for a day.
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 96 },
    });

    const handler = new NodejsFunction(this, 'MailReminders', {
      description: 'Sends each user one mail about unread messages',
      entry: fileURLToPath(new URL('./mail-reminders.ts', import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: Duration.minutes(5),
      environment: { TABLE_NAME: table.tableName, MAIL_URL: mailUrl },
      bundling: {
        format: OutputFormat.ESM,
        mainFields: ['module', 'main'],
        minify: true,
        externalModules: [],
      },
    });
    handler.addToRolePolicy(
      new PolicyStatement({
        actions: ['dynamodb:Query', 'dynamodb:PutItem'],
        resources: [table.tableArn],
      }),
    );
    handler.addEventSource(
      new SqsEventSource(events, {
        // All events of five minutes come together, so that a user gets one mail about them.
        maxBatchingWindow: Duration.minutes(5),
        batchSize: 1_000,
        // The fewest that Lambda allows: each instance has a batch, and sends mails of its own.
        maxConcurrency: 2,
        reportBatchItemFailures: true,
      }),
    );

    new Rule(this, 'Rule', {
      description: 'Reminders of Tidemark wait for MailReminders',
      eventBus: EventBus.fromEventBusName(this, 'Bus', eventBusName),
      eventPattern: {
        source: ['tidemark'],
        detailType: ['MessageStillUnread'],
        detail: { version: ['1'] },
      },
      targets: [new SqsQueue(events, { deadLetterQueue: deadLetters })],
    });
  }
}
