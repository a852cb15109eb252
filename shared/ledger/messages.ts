import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import { type Position, storedPosition } from '../domain/position.ts';
import { type Item, messageOf, readItem } from './items.ts';
import { AFTER_ALL_MESSAGES, headKey, justAfter, messageKey } from './keys.ts';
import { anyOf, isAbsent, isBelow, lacks, type Table } from './table.ts';

const DAY_MS = 86_400_000;

/** A group's messages and its head. Messages expire after the retention; the head stays. */
export class Messages {
  readonly #table: Table;
  readonly #retentionDays: number;

  constructor(table: Table, retentionDays: number) {
    this.#table = table;
    this.#retentionDays = retentionDays;
  }

  /** Null in a group for which no message was recorded. */
  async readHead(groupId: GroupId): Promise<Position | null> {
    const item = await this.#table.get(headKey(groupId));
    return item && headOf(item);
  }

  /** The heads of those of the groups for which a message was recorded. */
  async readHeads(groupIds: readonly GroupId[]): Promise<Map<GroupId, Position>> {
    const items = await this.#table.getMany(groupIds.map(headKey));
    const facts = items.map(readItem);
    return new Map(facts.flatMap((fact) => (fact.kind === 'head' ? [[fact.groupId, fact.position]] : [])));
  }

  /** Those of the messages that are recorded or deleted. */
  async readMany(groupId: GroupId, positions: readonly Position[]): Promise<Message[]> {
    const keys = [...new Set(positions)].map((position) => messageKey(groupId, position));
    return (await this.#table.getMany(keys)).map(messageOf);
  }

  /** Raises the head to a position, where it is not there yet, and returns the head. */
  async raiseHead(groupId: GroupId, position: Position): Promise<Position> {
    const { item } = await this.#table.update({
      key: headKey(groupId),
      set: { kind: { S: 'head' }, groupId: { S: groupId }, position: { S: position } },
      conditions: [anyOf(isAbsent, isBelow('position', { S: position }))],
    });
    return item ? headOf(item) : position;
  }

  /**
   * Records who sent a message, once: the first sender and time stay. A message whose deletion came first is known
   * from then on, and stays deleted.
   */
  async record(
    groupId: GroupId,
    position: Position,
    senderId: UserId,
    sentAtMs: number,
    nowMs: number,
  ): Promise<{ readonly message: Message; readonly known: boolean }> {
    const { applied, item } = await this.#table.update({
      key: messageKey(groupId, position),
      set: {
        ...identity(groupId, position),
        senderId: { S: senderId },
        sentAt: { N: String(sentAtMs) },
        ...this.#expiry(nowMs),
      },
      conditions: [lacks('senderId')],
    });
    const message = item ? messageOf(item) : { position, senderId, deleted: false };
    return { message, known: !applied };
  }

  /** Deletes a message, known or not yet: the mark of its deletion keeps a late recording from reviving it. */
  async delete(groupId: GroupId, position: Position, nowMs: number): Promise<void> {
    await this.#table.update({
      key: messageKey(groupId, position),
      set: { ...identity(groupId, position), deletedAt: { N: String(nowMs) } },
      setIfAbsent: this.#expiry(nowMs),
      conditions: [lacks('deletedAt')],
    });
  }

  /** The newest `limit` messages above a position, newest first, and with them the deleted ones in between. */
  async newest(groupId: GroupId, above: Position, limit: number): Promise<Message[]> {
    const found: Message[] = [];
    let missing = limit;
    let start: Item | undefined;
    do {
      const command = new QueryCommand({
        TableName: this.#table.name,
        KeyConditionExpression: 'PK = :group AND SK BETWEEN :above AND :end',
        ProjectionExpression: '#position, senderId, deletedAt',
        ExpressionAttributeNames: { '#position': 'position' },
        ExpressionAttributeValues: {
          ':group': headKey(groupId).PK,
          ':above': justAfter(messageKey(groupId, above).SK),
          ':end': { S: AFTER_ALL_MESSAGES },
        },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: missing,
        ...(start && { ExclusiveStartKey: start }),
      });
      const page = await this.#table.call(() => this.#table.client.send(command));
      const messages = (page.Items ?? []).map(messageOf);
      found.push(...messages);
      missing -= messages.filter(({ deleted }) => !deleted).length;
      start = page.LastEvaluatedKey;
    } while (start && missing > 0);
    return found;
  }

  #expiry(nowMs: number): Item {
    return { expiresAt: { N: String(Math.floor((nowMs + this.#retentionDays * DAY_MS) / 1000)) } };
  }
}

function identity(groupId: GroupId, position: Position): Item {
  return { kind: { S: 'message' }, groupId: { S: groupId }, position: { S: position } };
}

function headOf(item: Item): Position {
  return storedPosition(item.position?.S ?? '');
}
