import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { TidemarkEvent } from '../../shared/contract/event.ts';
import type { GroupId } from '../../shared/domain/ids.ts';
import type { Position } from '../../shared/domain/position.ts';
import { messageKey } from '../../shared/ledger/keys.ts';
import { DueMessages, Reminders } from '../../shared/ledger/reminders.ts';
import { Table } from '../../shared/ledger/table.ts';
import type { ReminderJob, ReminderQueue } from '../../shared/reminders/reminder-job.ts';
import type { Publisher } from '../../shared/stream/publisher.ts';
import { connectDynamoDb } from './engines.ts';

/** The event of a reminder. */
export type Reminder = Extract<TidemarkEvent, { readonly type: 'MessageStillUnread' }>;

/** The reminders of a table, and what a test looks at. */
export interface RemindersOfTable {
  readonly messages: DueMessages;
  readonly reminders: Reminders;
  /** The keys of the messages that stand in the index, as `PK SK`. */
  inIndex(): Promise<string[]>;
  /** The attributes of a message's item that belong to its reminder. */
  attributes(groupId: GroupId, position: Position): Promise<Readonly<Record<string, string | undefined>>>;
  close(): void;
}

export function remindersOf(tableName: string): RemindersOfTable {
  const client = connectDynamoDb();
  const table = new Table(client, tableName);
  return {
    messages: new DueMessages(table, 'reminders'),
    reminders: new Reminders(table),
    async inIndex() {
      const shards = ['0', '1', '2', '3', '4', '5', '6', '7'].map(async (shard) => {
        const { Items = [] } = await client.send(
          new QueryCommand({
            TableName: tableName,
            IndexName: 'reminders',
            KeyConditionExpression: 'dueShard = :shard',
            ExpressionAttributeValues: { ':shard': { S: shard } },
          }),
        );
        return Items.map(({ PK, SK }) => `${PK?.S} ${SK?.S}`);
      });
      return (await Promise.all(shards)).flat().sort();
    },
    async attributes(groupId, position) {
      const { due, dueShard, reminder } = (await table.get(messageKey(groupId, position))) ?? {};
      return { due: due?.S, dueShard: dueShard?.S, reminder: reminder?.S };
    },
    close: () => client.destroy(),
  };
}

/** A queue in memory. A test may let it refuse jobs. */
export class JobsInMemory implements ReminderQueue {
  jobs: ReminderJob[] = [];
  refuses: (job: ReminderJob) => boolean = () => false;

  async add(jobs: readonly ReminderJob[]): Promise<readonly ReminderJob[]> {
    this.jobs.push(...jobs.filter((job) => !this.refuses(job)));
    return jobs.filter((job) => this.refuses(job));
  }

  /** Takes all jobs out. */
  take(): ReminderJob[] {
    return this.jobs.splice(0);
  }
}

/** A bus in memory. A test may let it refuse events. */
export class BusInMemory implements Publisher {
  reminders: Reminder[] = [];
  refuses: (event: Reminder) => boolean = () => false;

  async publish(events: readonly TidemarkEvent[]): Promise<readonly TidemarkEvent[]> {
    const refused: TidemarkEvent[] = [];
    for (const event of events) {
      if (event.type !== 'MessageStillUnread') throw new Error(`not a reminder: ${event.type}`);
      if (this.refuses(event)) refused.push(event);
      else this.reminders.push(event);
    }
    return refused;
  }

  take(): Reminder[] {
    return this.reminders.splice(0);
  }
}
