import { QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import type { GroupId } from '../domain/ids.ts';
import type { Item } from './items.ts';
import { AFTER_ALL_MESSAGES, BEFORE_ALL_MESSAGES, headKey, type Key, storedKey } from './keys.ts';
import { RECORDED_NAMES } from './messages.ts';
import { removeItem } from './removal.ts';
import { copy, isNotAbove, type Table } from './table.ts';

/** A page of items to be deleted. The next one begins after `next`; null if there is none. */
export interface DoomedPage {
  readonly keys: readonly Key[];
  readonly next: Item | null;
}

/**
 * The items of a group of the time before it was deleted. Unreadable ones are among them: a comparison with an attribute that
 * is missing or of another type is false, so its negation holds.
 */
export class GroupItems {
  readonly #table: Table;
  readonly #membersIndexName: string;

  constructor(table: Table, membersIndexName: string) {
    this.#table = table;
    this.#membersIndexName = membersIndexName;
  }

  /** Members that joined up to the epoch. The index that lists the members is a moment behind. */
  async members(groupId: GroupId, epoch: number, start: Item | null, limit: number): Promise<DoomedPage> {
    const { keys, next } = await this.#page({
      IndexName: this.#membersIndexName,
      KeyConditionExpression: 'groupId = :group',
      ExpressionAttributeValues: { ':group': { S: groupId } },
      Limit: limit,
      ...(start && { ExclusiveStartKey: start }),
    });
    // A condition that fails costs as much as a write, and in a group that is used again it would fail for each member.
    const items = await this.#table.getMany(keys);
    const doomed = items.filter(({ generation }) => !(Number(generation?.N) > epoch));
    return { keys: keysIn(doomed), next };
  }

  /** Messages that were recorded or deleted up to the epoch. A page may be empty without being the last one. */
  async messages(groupId: GroupId, epoch: number, start: Item | null, limit: number): Promise<DoomedPage> {
    return this.#page({
      KeyConditionExpression: 'PK = :group AND SK BETWEEN :from AND :to',
      FilterExpression: 'NOT recordedAt > :epoch',
      ProjectionExpression: 'PK, SK',
      ExpressionAttributeValues: {
        ...{ ':group': headKey(groupId).PK, ':epoch': { N: String(epoch) } },
        ...{ ':from': { S: BEFORE_ALL_MESSAGES }, ':to': { S: AFTER_ALL_MESSAGES } },
      },
      ConsistentRead: true,
      Limit: limit,
      ...(start && { ExclusiveStartKey: start }),
    });
  }

  /** Deletes the item of a member, unless it is a membership that began after the epoch. */
  async deleteMember(key: Key, epoch: number): Promise<void> {
    await removeItem(this.#table, key, [isNotAbove('generation', { N: String(epoch) })]);
  }

  /**
   * Deletes the item of a message, unless it was recorded after the epoch. If it was deleted after the epoch, that
   * stays: the message may be recorded later.
   */
  async deleteMessage(key: Key, epoch: number): Promise<void> {
    const isRecordedBefore = isNotAbove('recordedAt', { N: String(epoch) });
    const isDeletedBefore = isNotAbove('deletedAt', { N: String(epoch) });
    const removal = await removeItem(this.#table, key, [isRecordedBefore, isDeletedBefore]);
    if (removal !== 'kept') return;
    await this.#table.update({
      key,
      set: {},
      computed: [copy('recordedAt', 'deletedAt')],
      remove: RECORDED_NAMES,
      conditions: [isRecordedBefore],
    });
  }

  async #page(query: Omit<QueryCommandInput, 'TableName'>): Promise<DoomedPage> {
    const command = new QueryCommand({ ...query, TableName: this.#table.name });
    const { Items = [], LastEvaluatedKey } = await this.#table.call(() => this.#table.client.send(command));
    return { keys: keysIn(Items), next: LastEvaluatedKey ?? null };
  }
}

function keysIn(items: readonly Item[]): Key[] {
  return items.flatMap(({ PK, SK }) => (PK?.S && SK?.S ? [storedKey(PK.S, SK.S)] : []));
}
