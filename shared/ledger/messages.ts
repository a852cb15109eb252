import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import { corrupt, type Item, messageOf, readItem } from './items.ts';
import { AFTER_ALL_MESSAGES, BEFORE_ALL_MESSAGES, headKey, justAfter, messageKey } from './keys.ts';
import { PassedOver, passingOver } from './passed-over.ts';
import { anyOf, isAbsent, isBelow, lacks, type Table } from './table.ts';

const DAY_MS = 86_400_000;

/** Messages read first, where nearly always the newest one will do. */
const FIRST_PAGE = 10;

/** A query gives 1 MB at once. What so many of them do not decide is not counted further. */
const MOST_FULL_PAGES = 8;

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

  /** The heads of groups, null where no message was recorded. A group whose head cannot be read is left out. */
  async readHeads(groupIds: readonly GroupId[]): Promise<Map<GroupId, Position | null>> {
    const items = await this.#table.getMany(groupIds.map(headKey));
    const found = new Map(items.map((item) => [item.PK?.S, item]));
    return passingOver(async (passedOver) => {
      const heads = new Map<GroupId, Position | null>();
      for (const groupId of groupIds) {
        const item = found.get(headKey(groupId).PK.S);
        const fact = item && passedOver.read(item, 'head');
        if (!item || fact) heads.set(groupId, fact?.position ?? null);
      }
      return heads;
    });
  }

  /** Those of the messages that are recorded or deleted. One that cannot be read is passed over. */
  async readMany(groupId: GroupId, positions: readonly Position[]): Promise<Message[]> {
    const keys = [...new Set(positions)].map((position) => messageKey(groupId, position));
    const items = await this.#table.getMany(keys);
    return passingOver(async (passedOver) => messagesIn(items, passedOver).map(({ message }) => message));
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
    for await (const { stored } of this.#pages(groupId, { above }, () => missing)) {
      const messages = stored.map(({ message }) => message);
      found.push(...messages);
      missing -= messages.filter(({ deleted }) => !deleted).length;
      if (missing <= 0) break;
    }
    return found;
  }

  /**
   * Counts the messages of others than a user above a position, and up to another one where that is given, until there
   * are `enough`. What 8 MB of messages do not decide stays open.
   */
  async countOfOthers(
    groupId: GroupId,
    userId: UserId,
    { above, upTo, enough }: { readonly above: Position; readonly upTo?: Position; readonly enough: number },
  ): Promise<{ readonly count: number; readonly isDecided: boolean }> {
    const isUnread = ({ senderId, deleted }: Message) => senderId !== null && senderId !== userId && !deleted;
    let count = 0;
    let pages = 0;
    // First as many as are missing, which are nearly always enough; then as many as the ledger gives at once.
    const limit = () => (pages === 0 ? enough : undefined);
    for await (const { stored, isLast } of this.#pages(groupId, { above, ...(upTo && { upTo }) }, limit)) {
      count += stored.filter(({ message }) => isUnread(message)).length;
      if (count >= enough || isLast) break;
      if (pages === MOST_FULL_PAGES) return { count, isDecided: false };
      pages += 1;
    }
    return { count, isDecided: true };
  }

  /** The newest message that was sent at a time or before it, whether deleted since or not; null where there is none. */
  async newestSentBy(groupId: GroupId, atMs: number): Promise<Position | 'none recorded' | 'none by then'> {
    let isAnyRecorded = false;
    let limit: number | undefined = FIRST_PAGE;
    for await (const { stored } of this.#pages(groupId, {}, () => limit)) {
      limit = undefined;
      const recorded = stored.filter(({ sentAtMs }) => sentAtMs !== null);
      isAnyRecorded ||= recorded.length > 0;
      const newest = recorded.find(({ sentAtMs }) => sentAtMs !== null && sentAtMs <= atMs);
      if (newest) return newest.message.position;
    }
    return isAnyRecorded ? 'none by then' : 'none recorded';
  }

  /** The newest message above a position that a user sent after a time; null where there is none. */
  async newestOf(
    groupId: GroupId,
    userId: UserId,
    above: Position,
    afterMs: number,
  ): Promise<Position | null> {
    let limit: number | undefined = FIRST_PAGE;
    for await (const { stored } of this.#pages(groupId, { above }, () => limit)) {
      limit = undefined;
      const newest = stored.find(
        ({ message, sentAtMs }) => message.senderId === userId && sentAtMs !== null && sentAtMs > afterMs,
      );
      if (newest) return newest.message.position;
    }
    return null;
  }

  /**
   * The messages in a range, newest first, page by page, but for those that cannot be read. Pages have at most as many
   * as `limit` says then.
   */
  async *#pages(
    groupId: GroupId,
    { above, upTo }: { readonly above?: Position; readonly upTo?: Position },
    limit: () => number | undefined,
  ): AsyncGenerator<{ readonly stored: StoredMessage[]; readonly isLast: boolean }> {
    const from = above ? justAfter(messageKey(groupId, above).SK) : { S: BEFORE_ALL_MESSAGES };
    const to = upTo ? messageKey(groupId, upTo).SK : { S: AFTER_ALL_MESSAGES };
    if (from.S > to.S) return;
    const { PK } = headKey(groupId);
    // What is the same for all of them need not come with each.
    const common: Item = { PK, groupId: { S: groupId } };
    const passedOver = new PassedOver();
    let start: Item | undefined;
    try {
      do {
        const most = limit();
        const command = new QueryCommand({
          TableName: this.#table.name,
          KeyConditionExpression: 'PK = :group AND SK BETWEEN :from AND :to',
          ProjectionExpression: 'SK, kind, #position, senderId, sentAt, deletedAt',
          ExpressionAttributeNames: { '#position': 'position' },
          ExpressionAttributeValues: { ':group': PK, ':from': from, ':to': to },
          ScanIndexForward: false,
          ConsistentRead: true,
          ...(most !== undefined && { Limit: most }),
          ...(start && { ExclusiveStartKey: start }),
        });
        const { Items = [], LastEvaluatedKey } = await this.#table.call(() =>
          this.#table.client.send(command),
        );
        start = LastEvaluatedKey;
        const items = Items.map((item) => ({ ...common, ...item }));
        yield { stored: messagesIn(items, passedOver), isLast: start === undefined };
      } while (start);
    } finally {
      passedOver.log();
    }
  }

  #expiry(nowMs: number): Item {
    return { expiresAt: { N: String(Math.floor((nowMs + this.#retentionDays * DAY_MS) / 1000)) } };
  }
}

function identity(groupId: GroupId, position: Position): Item {
  return { kind: { S: 'message' }, groupId: { S: groupId }, position: { S: position } };
}

/** A message, and when it was sent; null where only its deletion has been heard of. */
interface StoredMessage {
  readonly message: Message;
  readonly sentAtMs: number | null;
}

function messagesIn(items: readonly Item[], passedOver: PassedOver): StoredMessage[] {
  return items.flatMap((item) => {
    const fact = passedOver.read(item, 'message');
    return fact ? [{ message: fact.message, sentAtMs: item.sentAt?.N ? Number(item.sentAt.N) : null }] : [];
  });
}

function headOf(item: Item): Position {
  const fact = readItem(item);
  if (fact.kind !== 'head') throw corrupt(item, 'kind');
  return fact.position;
}
