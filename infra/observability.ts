import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import type { HttpApi, WebSocketApi } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { TidemarkContext } from './context.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { TidemarkFunction } from './function.ts';
import type { Reminders } from './reminders.ts';
import { StreamSource } from './stream-source.ts';
import { WorkQueue } from './work-queue.ts';

export interface ObservabilityProps {
  readonly context: TidemarkContext;
  readonly httpApi: HttpApi;
  /** Null in a deployment without the WebSocket API. */
  readonly webSocketApi: WebSocketApi | null;
  /** Null in a deployment without events. */
  readonly reminders: Reminders | null;
}

interface AlarmRule {
  readonly metric: IMetric;
  readonly threshold: number;
  readonly meaning: string;
  /** The number of consecutive periods that must reach the threshold. @default 1 */
  readonly periods?: number;
  /** What users of the service see. */
  readonly users: string;
  /** The heading of its entry in docs/runbook.md. */
  readonly help: string;
}

const period = Duration.minutes(5);

/** A metric that a function writes into its log. */
function ownMetric({ functionName }: TidemarkFunction, metricName: string): Metric {
  const dimensionsMap = { FunctionName: functionName };
  return new Metric({ namespace: 'Tidemark', metricName, dimensionsMap, period, statistic: 'Sum' });
}

/**
 * The alarms. It searches the stack for functions, streams, queues and dead-letter queues, so that each one has its
 * alarms. Create it last: it does not see constructs that are added later.
 */
export class Observability extends Construct {
  readonly #topics: readonly ITopic[];

  constructor(
    scope: Construct,
    id: string,
    { context, httpApi, webSocketApi, reminders }: ObservabilityProps,
  ) {
    super(scope, id);
    this.#topics = this.#topicsOf(context);
    this.#alarm('api-server-errors', {
      metric: httpApi.metricServerError({ period, statistic: 'Sum' }),
      threshold: 5,
      meaning: 'The API answered 5 or more requests with a fault of its own within 5 minutes',
      users: 'some calls get 500, 503 or 504; acknowledged writes are kept',
      help: 'The API answers with faults',
    });
    if (webSocketApi) {
      this.#alarm('live-faults', {
        metric: webSocketApi.metric('ExecutionError', { period, statistic: 'Sum' }),
        threshold: 5,
        meaning: 'The WebSocket API could not hand over 5 or more connects or frames within 5 minutes',
        users: 'some clients cannot connect or get no answer over their connections; the routes still work',
        help: 'The API answers with faults',
      });
    }
    if (reminders) this.#watchReminders(reminders);
    for (const construct of Stack.of(this).node.findAll()) {
      if (construct instanceof TidemarkFunction) this.#watchFunction(construct);
      if (construct instanceof StreamSource) this.#watchSource(construct);
      if (construct instanceof WorkQueue) this.#watchQueue(construct);
      if (construct instanceof DeadLetterQueue) this.#watchDeadLetters(construct);
    }
  }

  #watchReminders({ finder, scheduleGroupName }: Reminders): void {
    const ofSchedule = (metricName: string) =>
      new Metric({
        namespace: 'AWS/Scheduler',
        metricName,
        dimensionsMap: { ScheduleGroup: scheduleGroupName },
        period,
        statistic: 'Sum',
      });
    this.#alarm('reminders-schedule-failing', {
      metric: new MathExpression({
        // A metric of the schedule has data only where it counted something.
        expression: 'FILL(refused, 0) + FILL(dropped, 0)',
        usingMetrics: {
          refused: ofSchedule('TargetErrorCount'),
          dropped: ofSchedule('InvocationDroppedCount'),
        },
        label: 'failed invocations',
        period,
      }),
      threshold: 1,
      meaning: 'The schedule could not invoke find-reminders',
      users: finder.whenItFails,
      help: 'Reminders come late',
    });
    this.#alarm('reminders-late', {
      metric: ownMetric(finder, 'LateReminders'),
      threshold: 1,
      meaning: 'find-reminders found reminders that were due 5 minutes ago or longer',
      users: finder.whenItFails,
      help: 'Reminders come late',
    });
  }

  #watchFunction(watched: TidemarkFunction): void {
    this.#alarm(`${watched.node.id}-failing`, {
      metric: new MathExpression({
        // A function that is throttled at every call has no data for errors, and a sum with missing data is missing.
        expression: 'FILL(errors, 0) + FILL(throttles, 0)',
        usingMetrics: {
          errors: watched.refusesByErrors
            ? ownMetric(watched, 'FailedAuthorizations')
            : watched.metricErrors({ period, statistic: 'Sum' }),
          throttles: watched.metricThrottles({ period, statistic: 'Sum' }),
        },
        label: 'errors and throttles',
        period,
      }),
      threshold: 1,
      meaning: `${watched.node.id} threw an error, timed out or was throttled`,
      users: watched.whenItFails,
      help: 'A function fails',
    });
  }

  #watchSource({ consumer }: StreamSource): void {
    this.#alarm(`${consumer.node.id}-behind`, {
      metric: consumer.metric('IteratorAge', { period, statistic: 'Maximum' }),
      threshold: Duration.minutes(5).toMilliseconds(),
      meaning: `${consumer.node.id} is 5 minutes or more behind the ledger`,
      users: consumer.whenItFails,
      help: 'A function falls behind the ledger',
    });
  }

  #watchQueue(queue: WorkQueue): void {
    const { node } = queue.consumer;
    // SQS ignores messages received three times or more: so events that wait for a later try do not count.
    this.#alarm(`${node.id}-waiting`, {
      metric: queue.metricApproximateAgeOfOldestMessage({ period, statistic: 'Maximum' }),
      threshold: Duration.minutes(5).toSeconds(),
      meaning: `Events have waited 5 minutes or more for ${node.id}`,
      users: queue.consumer.whenItFails,
      help: 'A queue is not worked off',
    });
    this.#alarm(`${node.id}-retrying`, {
      metric: ownMetric(queue.consumer, 'FailedRecords'),
      threshold: 1,
      // Three periods: a single failure is no alarm. The pauses are short enough at first that an event that always
      // fails is tried in each of them.
      periods: 3,
      meaning: `${node.id} has failed to process events for 15 minutes, and tries each again for a day`,
      users: queue.consumer.whenItFails,
      help: 'A function keeps failing at events',
    });
  }

  #watchDeadLetters(queue: DeadLetterQueue): void {
    this.#alarm(queue.label, {
      metric: queue.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' }),
      threshold: 1,
      meaning: `Something failed at every try or could not be read, and is parked in ${queue.label}`,
      users: 'parked messages have no effect until they are sent again',
      help: 'Something is parked in a dead-letter queue',
    });
  }

  /** The topics for alarms: the given topic, the stack's own, or both. There is always at least one. */
  #topicsOf({ alarmEmail, alarmTopicArn }: TidemarkContext): readonly ITopic[] {
    const given = alarmTopicArn === undefined ? [] : [Topic.fromTopicArn(this, 'GivenAlarms', alarmTopicArn)];
    if (given.length > 0 && alarmEmail === undefined) return given;
    const topic = new Topic(this, 'Alarms', {
      topicName: `${Stack.of(this).stackName}-alarms`,
      // Not encrypted: CloudWatch cannot publish to a topic under an AWS managed key. Alarms have no data of users.
      enforceSSL: true,
    });
    // enforceSSL adds a topic policy, which replaces the default policy that lets the account publish.
    topic.grantPublish(
      new ServicePrincipal('cloudwatch.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    if (alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(alarmEmail));
    new CfnOutput(Stack.of(this), 'AlarmTopicArn', { value: topic.topicArn });
    return [...given, topic];
  }

  #alarm(name: string, { metric, threshold, meaning, users, help, periods = 1 }: AlarmRule): void {
    const alarm = new Alarm(this, name, {
      alarmName: `${Stack.of(this).stackName}-${name}`,
      alarmDescription: `${meaning}. Users: ${users}. Help: docs/runbook.md, "${help}".`,
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // No data means no traffic.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    for (const topic of this.#topics) {
      alarm.addAlarmAction(new SnsAction(topic));
      alarm.addOkAction(new SnsAction(topic));
    }
  }
}
