import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import { corrupt, type Item, messageOf, readItem } from './items.ts';
import { AFTER_ALL_MESSAGES, BEFORE_ALL_MESSAGES, headKey, justAfter, messageKey } from './keys.ts';
import { PassedOver, passingOver } from './passed-over.ts';
import { anyOf, isAbsent, isBelow, lacks, type Table } from './table.ts';

const DAY_MS = 86_400_000;

/** The size of the first page of a search that the newest messages nearly always decide. */
const FIRST_PAGE = 10;

/** A query returns at most 1 MB. After this many such pages a count stops undecided. */
const MOST_FULL_PAGES = 8;

/** The attributes of a message's reminder: when it is due (./due.ts), and how far it has come (./reminders.ts). */
const REMINDER_NAMES = ['due', 'dueShard', 'reminder'];

/** The messages and heads of groups. Messages expire after the retention; heads stay. */
export class Messages {
  readonly #table: Table;
  readonly #retentionDays: number;

  constructor(table: Table, retentionDays: number) {
    this.#table = table;
    this.#retentionDays = retentionDays;
  }

  /** Null if no message was recorded in the group. */
  async readHead(groupId: GroupId): Promise<Position | null> {
    const item = await this.#table.get(headKey(groupId));
    return item && headOf(item);
  }

  /** The heads of groups, null if no message was recorded. A group whose head cannot be read is left out. */
  async readHeads(groupIds: readonly GroupId[]): Promise<Map<GroupId, Position | null>> {
    const items = await this.#table.getMany(groupIds.map(headKey));
    const found = new Map(items.map((item) => [item.PK?.S, item]));
    return passingOver(async (passedOver) => {
      const heads = new Map<GroupId, Position | null>();
      for (const groupId of groupIds) {
        const item = found.get(headKey(groupId).PK.S);
        const stored = item && passedOver.read(item, 'head');
        if (!item || stored) heads.set(groupId, stored?.position ?? null);
      }
      return heads;
    });
  }

  /** Returns the messages among `positions` that are recorded or deleted. Leaves out those that cannot be read. */
  async readMany(groupId: GroupId, positions: readonly Position[]): Promise<Message[]> {
    const keys = [...new Set(positions)].map((position) => messageKey(groupId, position));
    const items = await this.#table.getMany(keys);
    return passingOver(async (passedOver) => messagesIn(items, passedOver).map(({ message }) => message));
  }

  /** Raises the head to a position if it is below it, and returns the head. */
  async raiseHead(groupId: GroupId, position: Position): Promise<Position> {
    const { item } = await this.#table.update({
      key: headKey(groupId),
      set: { kind: { S: 'head' }, groupId: { S: groupId }, position: { S: position } },
      conditions: [anyOf(isAbsent, isBelow('position', { S: position }))],
    });
    return item ? headOf(item) : position;
  }

  /**
   * Records a message, once: the first sender, time and reminder stay. If its deletion came first, the message
   * becomes known and stays deleted. `due` has the attributes of its reminder (./due.ts).
   */
  async record(
    groupId: GroupId,
    position: Position,
    senderId: UserId,
    sentAtMs: number,
    nowMs: number,
    due: Item = {},
  ): Promise<{ readonly message: Message; readonly known: boolean }> {
    const { applied, item } = await this.#table.update({
      key: messageKey(groupId, position),
      set: {
        ...identity(groupId, position),
        senderId: { S: senderId },
        sentAt: { N: String(sentAtMs) },
        ...this.#expiry(nowMs),
        ...due,
      },
      conditions: [lacks('senderId')],
    });
    const message = item ? messageOf(item) : { position, senderId, deleted: false };
    return { message, known: !applied };
  }

  /** Deletes a message, whether or not it is known yet. The stored deletion stops a late recording from reviving it. */
  async delete(groupId: GroupId, position: Position, nowMs: number): Promise<void> {
    await this.#table.update({
      key: messageKey(groupId, position),
      set: { ...identity(groupId, position), deletedAt: { N: String(nowMs) } },
      setIfAbsent: this.#expiry(nowMs),
      remove: REMINDER_NAMES,
      conditions: [lacks('deletedAt')],
    });
  }

  /**
   * The newest `limit` messages above a position, and up to `lastPosition` if it is given, newest first, and also the deleted
   * ones in between.
   */
  async newest(
    groupId: GroupId,
    abovePosition: Position,
    limit: number,
    lastPosition?: Position,
  ): Promise<Message[]> {
    const found: Message[] = [];
    let missing = limit;
    const range = { abovePosition, ...(lastPosition && { lastPosition }) };
    for await (const { stored } of this.#pages(groupId, range, () => missing)) {
      const messages = stored.map(({ message }) => message);
      found.push(...messages);
      missing -= messages.filter(({ deleted }) => !deleted).length;
      if (missing <= 0) break;
    }
    return found;
  }

  /**
   * Counts the messages of other users above a position, and up to `lastPosition` if it is given. Stops at `enough`. If
   * 8 MB of messages do not decide the count, `isDecided` is false.
   */
  async countOfOthers(
    { groupId, userId }: Member,
    {
      abovePosition,
      lastPosition,
      enough,
    }: { readonly abovePosition: Position; readonly lastPosition?: Position; readonly enough: number },
  ): Promise<{ readonly count: number; readonly isDecided: boolean }> {
    const isUnread = ({ senderId, deleted }: Message) => senderId !== null && senderId !== userId && !deleted;
    let count = 0;
    let pages = 0;
    // The first page has `enough` messages, which nearly always decides. Later pages are as large as the ledger allows.
    const limit = () => (pages === 0 ? enough : undefined);
    for await (const { stored, isLast } of this.#pages(
      groupId,
      { abovePosition, ...(lastPosition && { lastPosition }) },
      limit,
    )) {
      count += stored.filter(({ message }) => isUnread(message)).length;
      if (count >= enough || isLast) break;
      if (pages === MOST_FULL_PAGES) return { count, isDecided: false };
      pages += 1;
    }
    return { count, isDecided: true };
  }

  /** The newest message sent at or before a time, including deleted ones. */
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

  /** The newest message above a position that a user sent after a time; null if there is none. */
  async newestOf(
    { groupId, userId }: Member,
    abovePosition: Position,
    afterMs: number,
  ): Promise<Position | null> {
    let limit: number | undefined = FIRST_PAGE;
    for await (const { stored } of this.#pages(groupId, { abovePosition }, () => limit)) {
      limit = undefined;
      const newest = stored.find(
        ({ message, sentAtMs }) => message.senderId === userId && sentAtMs !== null && sentAtMs > afterMs,
      );
      if (newest) return newest.message.position;
    }
    return null;
  }

  /**
   * The messages in a range, newest first, page by page, without those that cannot be read. `limit` is called for each
   * page and returns its largest size.
   */
  async *#pages(
    groupId: GroupId,
    { abovePosition, lastPosition }: { readonly abovePosition?: Position; readonly lastPosition?: Position },
    limit: () => number | undefined,
  ): AsyncGenerator<{ readonly stored: StoredMessage[]; readonly isLast: boolean }> {
    const from = abovePosition
      ? justAfter(messageKey(groupId, abovePosition).SK)
      : { S: BEFORE_ALL_MESSAGES };
    const to = lastPosition ? messageKey(groupId, lastPosition).SK : { S: AFTER_ALL_MESSAGES };
    if (from.S > to.S) return;
    const { PK } = headKey(groupId);
    // All messages of a group share these attributes, so the query does not return them.
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

/** A message, and the time when it was sent; null if only its deletion is known. */
interface StoredMessage {
  readonly message: Message;
  readonly sentAtMs: number | null;
}

function messagesIn(items: readonly Item[], passedOver: PassedOver): StoredMessage[] {
  return items.flatMap((item) => {
    const stored = passedOver.read(item, 'message');
    return stored
      ? [{ message: stored.message, sentAtMs: item.sentAt?.N ? Number(item.sentAt.N) : null }]
      : [];
  });
}

function headOf(item: Item): Position {
  const stored = readItem(item);
  if (stored.kind !== 'head') throw corrupt(item, 'kind');
  return stored.position;
}
