import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import { addToTally, EMPTY_TALLY, type Tally } from '../domain/unread.ts';
import { type Item, messageDetails, messageOf } from './items.ts';
import { AFTER_ALL_MESSAGES, BEFORE_ALL_MESSAGES, headKey, justAfter, messageKey } from './keys.ts';
import { PassedOver, passingOver } from './passed-over.ts';
import { lacks, type Table } from './table.ts';

const DAY_MS = 86_400_000;

/** The size of the first page of a search that the newest messages nearly always decide. */
const FIRST_PAGE = 10;

/** A query returns at most 1 MB. After this many such pages a count stops undecided. */
const MOST_FULL_PAGES = 8;

/** The attribute of a message that leaves the own view of its sender where it is. */
const OWN_VIEW_STAYS = 'ownViewStays';

/** The attributes of a message's reminder: when it is due (./due.ts), and how far it has come (./reminders.ts). */
const REMINDER_NAMES = ['due', 'dueShard', 'reminder'];

/** A message as it is recorded. */
export interface Recording extends Omit<Message, 'deleted'> {
  readonly senderId: UserId;
  readonly sentAtMs: number;
  /** Its sender does not move to it. */
  readonly ownViewStays: boolean;
  /** The attributes of its reminder (./due.ts), if it has one. */
  readonly reminder?: Item;
}

/** The messages of groups. They expire after the retention. */
export class Messages {
  readonly #table: Table;
  readonly #retentionDays: number;

  constructor(table: Table, retentionDays: number) {
    this.#table = table;
    this.#retentionDays = retentionDays;
  }

  /** Returns the messages among `positions` that are recorded or deleted. Leaves out those that cannot be read. */
  async readMany(groupId: GroupId, positions: readonly Position[]): Promise<Message[]> {
    const keys = [...new Set(positions)].map((position) => messageKey(groupId, position));
    const items = await this.#table.getMany(keys);
    return passingOver(async (passedOver) => messagesIn(items, passedOver).map(({ message }) => message));
  }

  /**
   * Records a message, once: what the first recording said stays. If its deletion came first, the message becomes known
   * and stays deleted. Returns what the ledger then holds.
   */
  async record(
    groupId: GroupId,
    { sentAtMs, ownViewStays, reminder, ...sent }: Recording,
    nowMs: number,
  ): Promise<{ readonly message: Message; readonly ownViewStays: boolean; readonly known: boolean }> {
    const { position, senderId } = sent;
    const { applied, item } = await this.#table.update({
      key: messageKey(groupId, position),
      set: {
        ...identity(groupId, position),
        senderId: { S: senderId },
        sentAt: { N: String(sentAtMs) },
        ...messageDetails(sent),
        ...(ownViewStays && { [OWN_VIEW_STAYS]: { BOOL: true } }),
        ...this.#expiry(nowMs),
        ...reminder,
      },
      conditions: [lacks('senderId')],
    });
    if (!item) return { message: { ...sent, deleted: false }, ownViewStays, known: !applied };
    return { message: messageOf(item), ownViewStays: staysIn(item), known: !applied };
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
   * Counts what is unread for a user above a position, and up to `lastPosition` if it is given: at most one more than the
   * limit. If 8 MB of messages do not decide the count, `isDecided` is false.
   */
  async countUnread(
    { groupId, userId }: Member,
    {
      abovePosition,
      lastPosition,
      limit,
    }: { readonly abovePosition: Position; readonly lastPosition?: Position; readonly limit: number },
  ): Promise<{ readonly tally: Tally; readonly isDecided: boolean }> {
    let tally = EMPTY_TALLY;
    let pages = 0;
    // The first page nearly always decides. Later pages are as large as the ledger allows.
    const pageSize = () => (pages === 0 ? limit + 1 : undefined);
    for await (const { stored, isLast } of this.#pages(
      groupId,
      { abovePosition, ...(lastPosition && { lastPosition }) },
      pageSize,
    )) {
      const messages = stored.map(({ message }) => message);
      tally = addToTally(tally, messages, userId, limit);
      if (tally.count > limit || isLast) break;
      if (pages === MOST_FULL_PAGES) return { tally, isDecided: false };
      pages += 1;
    }
    return { tally, isDecided: true };
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

  /**
   * The newest message above a position that a user sent after a time, without those that leave the own view of their
   * sender where it is; null if there is none.
   */
  async newestOf(
    { groupId, userId }: Member,
    abovePosition: Position,
    afterMs: number,
  ): Promise<Position | null> {
    let limit: number | undefined = FIRST_PAGE;
    for await (const { stored } of this.#pages(groupId, { abovePosition }, () => limit)) {
      limit = undefined;
      const newest = stored.find(
        ({ message, sentAtMs, ownViewStays }) =>
          message.senderId === userId && !ownViewStays && sentAtMs !== null && sentAtMs > afterMs,
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
          ProjectionExpression: `SK, kind, #position, senderId, sentAt, deletedAt, silent, mentions, ${OWN_VIEW_STAYS}`,
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

/** A message with what the ledger alone knows of it. */
interface StoredMessage {
  readonly message: Message;
  /** When it was sent; null if only its deletion is known. */
  readonly sentAtMs: number | null;
  readonly ownViewStays: boolean;
}

function messagesIn(items: readonly Item[], passedOver: PassedOver): StoredMessage[] {
  return items.flatMap((item) => {
    const stored = passedOver.read(item, 'message');
    return stored
      ? [
          {
            message: stored.message,
            sentAtMs: item.sentAt?.N ? Number(item.sentAt.N) : null,
            ownViewStays: staysIn(item),
          },
        ]
      : [];
  });
}

function staysIn(item: Item): boolean {
  return item[OWN_VIEW_STAYS]?.BOOL === true;
}
