import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import { REMINDERS_QUEUE_URL } from '../shared/contract/environment.ts';
import type { Bus } from './bus.ts';
import type { Cache } from './cache.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { QUEUE_FUNCTION_TIMEOUT, WorkQueue } from './work-queue.ts';

export interface RemindersProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: Bus;
}

/** Less than a minute, so that two runs rarely meet. */
const FIND_TIMEOUT = Duration.seconds(50);

/** The most instances that send reminders at once. The limit leaves the account's concurrency to callers. */
const MAXIMUM_SENDERS = 10;

const LATE = 'reminders are published late; nothing is lost';

/** Publishes who has not read a message some time after it was sent: each minute for the messages that are due. */
export class Reminders extends Construct {
  readonly finder: TidemarkFunction;
  /** The group of the schedule. The metrics of a schedule are those of its group. */
  readonly scheduleGroupName: string;

  constructor(scope: Construct, id: string, { bundles, ledger, cache, bus }: RemindersProps) {
    super(scope, id);
    this.finder = new TidemarkFunction(this, 'find-reminders', {
      bundles,
      description: 'Queues the reminders that are due',
      whenItFails: LATE,
      timeout: FIND_TIMEOUT,
    });
    ledger.allow(this.finder, ['UpdateItem']);
    ledger.allowFindingReminders(this.finder);

    const sender = new TidemarkFunction(this, 'send-reminders', {
      bundles,
      description: 'Publishes who has not read a message whose reminder is due',
      whenItFails: LATE,
      timeout: QUEUE_FUNCTION_TIMEOUT,
      queuesItself: true,
    });
    cache.allow(sender);
    ledger.allow(sender, ['BatchGetItem', 'GetItem', 'UpdateItem']);
    ledger.allowListingMembers(sender);
    bus.allowPublishing(sender);

    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', 'send-reminders-dead-letters');
    const queue = new WorkQueue(this, 'Queue', sender, deadLetters);
    queue.workOff(this, { maximumConcurrency: MAXIMUM_SENDERS });
    this.finder.addEnvironment(REMINDERS_QUEUE_URL, queue.queueUrl);
    // A job of a large group queues the rest of its work.
    for (const user of [this.finder, sender]) user.allow(['sqs:SendMessage'], queue.queueArn);

    this.scheduleGroupName = `${Stack.of(this).stackName}-reminders`;
    this.#addSchedule();
  }

  #addSchedule(): void {
    const group = new CfnScheduleGroup(this, 'ScheduleGroup', { name: this.scheduleGroupName });
    const role = new Role(this, 'ScheduleRole', {
      description: `What the schedule of ${this.finder.node.id} may do`,
      // Only this account's schedules may use the role.
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [this.finder.functionArn] }),
    );
    const schedule = new CfnSchedule(this, 'Schedule', {
      name: `${Stack.of(this).stackName}-find-reminders`,
      description: 'Reminders that are due',
      groupName: group.ref,
      scheduleExpression: 'rate(1 minute)',
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.finder.functionArn,
        roleArn: role.roleArn,
        input: '{"scheduledAt":"<aws.scheduler.scheduled-time>"}',
        // The next minute does the work of one that failed.
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      },
    });
    // The schedule may be created before the role's policy otherwise, and its first invocations would fail.
    schedule.node.addDependency(role);
    this.finder.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
  }
}
