import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import { dueText } from './due.ts';
import { type Item, readItem } from './items.ts';
import { type Key, storedKey } from './keys.ts';
import { anyOf, equals, exists, lacks, type Table } from './table.ts';

/** A message whose reminder is due, as the index has it. */
export interface DueMessage {
  /** The key of its item. */
  readonly key: Key;
  /** When it is due, as the index has it. */
  readonly due: string;
}

export interface DuePage {
  readonly due: readonly DueMessage[];
  /** Where the next page begins; null if there is none. */
  readonly next: Item | null;
}

/** How far a reminder has come, as text. The other values are the caller's. */
export type Progress = string;

/** The progress of a reminder that waits in the queue. */
const QUEUED: Progress = 'queued';

/** A recorded message with a reminder. */
export interface RemindedMessage extends Message {
  readonly groupId: GroupId;
  readonly senderId: UserId;
  /** Null if no event was published yet. */
  readonly progress: Progress | null;
}

/** The sparse index of the messages whose reminder is not queued yet, by the time when it is due. */
export class DueMessages {
  readonly #table: Table;
  readonly #indexName: string;

  constructor(table: Table, indexName: string) {
    this.#table = table;
    this.#indexName = indexName;
  }

  /** One page of the messages of a shard that are due at a time in ms, the earliest first. The index is a moment behind. */
  async dueBy(shard: string, atMs: number, limit: number, start: Item | null): Promise<DuePage> {
    const command = new QueryCommand({
      TableName: this.#table.name,
      IndexName: this.#indexName,
      KeyConditionExpression: 'dueShard = :shard AND due <= :at',
      ExpressionAttributeValues: { ':shard': { S: shard }, ':at': { S: dueText(atMs) } },
      Limit: limit,
      ...(start && { ExclusiveStartKey: start }),
    });
    const { Items = [], LastEvaluatedKey } = await this.#table.call(() => this.#table.client.send(command));
    const due = Items.flatMap(({ PK, SK, due: time }) =>
      PK?.S && SK?.S && time?.S ? [{ key: storedKey(PK.S, SK.S), due: time.S }] : [],
    );
    return { due, next: LastEvaluatedKey ?? null };
  }

  /** Takes a message out of the index, if it is still there under the same time. May be repeated. */
  async take({ key, due }: DueMessage): Promise<void> {
    await this.#table.update({
      key,
      set: {},
      // The queue may be faster than this write: then the progress is already a later one.
      setIfAbsent: { reminder: { S: QUEUED } },
      remove: INDEX_NAMES,
      conditions: [equals('due', { S: due })],
    });
  }
}

/** How far the reminders of messages have come. It stands in the message's own item, in the attribute `reminder`. */
export class Reminders {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * The message under a key; null if it is not recorded, deleted or expired, or if it has no reminder that is due by a time in
   * ms: after its group was deleted, another message may have the same key. Throws `UnreadableItem` for a broken item.
   */
  async read(key: Key, atMs: number): Promise<RemindedMessage | null> {
    const item = await this.#table.get(key);
    if (!item) return null;
    const stored = readItem(item);
    if (stored.kind !== 'message') return null;
    const { groupId, message } = stored;
    const { senderId } = message;
    if (senderId === null || message.deleted) return null;
    // The queue may be faster than the write that takes the message out of the index.
    const isDue = item.due?.S !== undefined && item.due.S <= dueText(atMs);
    const progress = item.reminder?.S ?? (isDue ? QUEUED : null);
    if (progress === null) return null;
    return { ...message, groupId, senderId, progress: progress === QUEUED ? null : progress };
  }

  /**
   * Stores how far a reminder has come. Returns whether this was done: not if the message is deleted, or if the progress is
   * no longer `from`, because another job works on the same reminder.
   */
  async progress(key: Key, from: Progress | null, to: Progress): Promise<boolean> {
    const { applied } = await this.#table.update({
      key,
      set: { reminder: { S: to } },
      // If the function that found the reminder died, the message is still in the index.
      remove: INDEX_NAMES,
      conditions: [
        exists('senderId'),
        lacks('deletedAt'),
        from === null
          ? anyOf(lacks('reminder'), equals('reminder', { S: QUEUED }))
          : equals('reminder', { S: from }),
      ],
    });
    return applied;
  }
}

const INDEX_NAMES = ['due', 'dueShard'];
