import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { isAfterEpoch } from '../domain/head.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import { addToTally, EMPTY_TALLY, type Tally } from '../domain/unread.ts';
import { type Item, messageDetails, messageOf } from './items.ts';
import { AFTER_ALL_MESSAGES, BEFORE_ALL_MESSAGES, headKey, justAfter, messageKey } from './keys.ts';
import { PassedOver, passingOver } from './passed-over.ts';
import { anyOf, type Clause, isAbsent, isAtMost, isBelow, lacks, type Table } from './table.ts';

const DAY_MS = 86_400_000;

/** The size of the first page of a search that the newest messages nearly always decide. */
const FIRST_PAGE = 10;

/** A query returns at most 1 MB. After this many such pages a count stops undecided. */
const MOST_FULL_PAGES = 8;

/** The attribute of a message that leaves the own view of its sender where it is. */
const OWN_VIEW_STAYS = 'ownViewStays';

/** The attributes that only some messages have. */
const OPTIONAL_NAMES = ['silent', 'mentions', OWN_VIEW_STAYS];

/** The attributes of a message's reminder: when it is due (./due.ts), and how far it has come (./reminders.ts). */
const REMINDER_NAMES = ['due', 'dueShard', 'reminder'];

const OWN_NAMES = [...OPTIONAL_NAMES, ...REMINDER_NAMES];

/** The attributes that a message has from its recording. */
export const RECORDED_NAMES = ['senderId', 'sentAt', ...OWN_NAMES];

/** A message as it is recorded. */
export interface Recording extends Omit<Message, 'deleted'> {
  readonly senderId: UserId;
  readonly sentAtMs: number;
  /** Its sender does not move to it. */
  readonly ownViewStays: boolean;
  /** The attributes of its reminder (./due.ts), if it has one. */
  readonly reminder?: Item;
}

/** What the ledger holds of a message after a call has recorded it, or before that: then it is known. */
export interface RecordedItem {
  readonly message: Message;
  readonly ownViewStays: boolean;
  readonly known: boolean;
}

/** Messages above a position, up to `lastPosition` if it is given, that were recorded after the group's epoch. */
export interface MessageBounds {
  readonly abovePosition: Position;
  readonly lastPosition?: Position | undefined;
  readonly epoch: number;
}

/** The messages of groups. They expire after the retention. */
export class Messages {
  readonly #table: Table;
  readonly #retentionDays: number;

  constructor(table: Table, retentionDays: number) {
    this.#table = table;
    this.#retentionDays = retentionDays;
  }

  /**
   * Returns the messages among `positions` that are recorded or deleted, also those of a time up to the group's epoch. Leaves
   * out those that cannot be read.
   */
  async readMany(groupId: GroupId, positions: readonly Position[]): Promise<Message[]> {
    const keys = [...new Set(positions)].map((position) => messageKey(groupId, position));
    const items = await this.#table.getMany(keys);
    return passingOver(async (passedOver) => messagesIn(items, passedOver, 0).map(({ message }) => message));
  }

  /**
   * Records a message, once: what the first recording said stays. If its deletion came first, the message becomes known
   * and stays deleted. Returns what the ledger then holds, which may be of a time up to the group's epoch.
   */
  async record(groupId: GroupId, recording: Recording, nowMs: number): Promise<RecordedItem> {
    const { recordedAt } = recording;
    const { applied, item } = await this.#table.update({
      key: messageKey(groupId, recording.position),
      set: { ...recordedItem(groupId, recording), ...this.#expiry(nowMs) },
      // The deletion may have come first: then this is the time when it came.
      setIfAbsent: { recordedAt: { N: String(recordedAt) } },
      conditions: [lacks('senderId')],
    });
    return recordedIn(recording, applied, item);
  }

  /**
   * Records a message in place of one that was recorded up to the epoch, of which nothing stays but a later deletion. Otherwise
   * as `record`.
   */
  async recordAfter(
    epoch: number,
    groupId: GroupId,
    recording: Recording,
    nowMs: number,
  ): Promise<RecordedItem> {
    const set = {
      ...recordedItem(groupId, recording),
      recordedAt: { N: String(recording.recordedAt) },
      ...this.#expiry(nowMs),
    };
    const isDeletedBefore = anyOf(lacks('deletedAt'), isAtMost('deletedAt', { N: String(epoch) }));
    const record = (remove: readonly string[], ...conditions: readonly Clause[]) =>
      this.#table.update({
        key: messageKey(groupId, recording.position),
        set,
        remove: remove.filter((name) => !(name in set)),
        conditions: [isUnrecordedSince(epoch), ...conditions],
      });
    const written = await record([...OWN_NAMES, 'deletedAt'], isDeletedBefore);
    if (written.applied || !written.item?.deletedAt)
      return recordedIn(recording, written.applied, written.item);
    const kept = await record(OWN_NAMES);
    return recordedIn(recording, kept.applied, kept.item);
  }

  /**
   * Deletes a message, whether or not it is known yet. The stored deletion stops a late recording from reviving it. Its time
   * is that of the last deletion: one from before a deletion of the group is void. Returns when the service first received
   * the message.
   */
  async delete(
    groupId: GroupId,
    position: Position,
    { recordedAt, nowMs }: { readonly recordedAt: number; readonly nowMs: number },
  ): Promise<Pick<Message, 'position' | 'recordedAt'>> {
    const deletedAt = { N: String(nowMs) };
    const { item } = await this.#table.update({
      key: messageKey(groupId, position),
      set: { ...identity(groupId, position), deletedAt },
      setIfAbsent: { ...this.#expiry(nowMs), recordedAt: { N: String(recordedAt) } },
      remove: REMINDER_NAMES,
      conditions: [anyOf(lacks('deletedAt'), isBelow('deletedAt', deletedAt))],
    });
    return { position, recordedAt: item ? messageOf(item).recordedAt : recordedAt };
  }

  /**
   * The newest `limit` messages above a position, and up to `lastPosition` if it is given, newest first, and also the deleted
   * ones in between. Messages recorded up to the epoch are left out.
   */
  async newest(groupId: GroupId, range: MessageBounds, limit: number): Promise<Message[]> {
    const found: Message[] = [];
    let missing = limit;
    for await (const { stored } of this.#pages(groupId, range, () => missing)) {
      const messages = stored.map(({ message }) => message);
      found.push(...messages);
      missing -= messages.filter(({ deleted }) => !deleted).length;
      if (missing <= 0) break;
    }
    return found;
  }

  /**
   * Counts what is unread for a user in a range: at most one more than the limit. If 8 MB of messages do not decide the
   * count, `isDecided` is false.
   */
  async countUnread(
    { groupId, userId }: Member,
    { limit, ...range }: MessageBounds & { readonly limit: number },
  ): Promise<{ readonly tally: Tally; readonly isDecided: boolean }> {
    let tally = EMPTY_TALLY;
    let pages = 0;
    // The first page nearly always decides. Later pages are as large as the ledger allows.
    const pageSize = () => (pages === 0 ? limit + 1 : undefined);
    for await (const { stored, isLast } of this.#pages(groupId, range, pageSize)) {
      const messages = stored.map(({ message }) => message);
      tally = addToTally(tally, messages, userId, limit);
      if (tally.count > limit || isLast) break;
      if (pages === MOST_FULL_PAGES) return { tally, isDecided: false };
      pages += 1;
    }
    return { tally, isDecided: true };
  }

  /** The newest message sent at or before a time, including deleted ones. Messages recorded up to the epoch are left out. */
  async newestSentBy(
    groupId: GroupId,
    atMs: number,
    epoch: number,
  ): Promise<Position | 'none recorded' | 'none by then'> {
    let isAnyRecorded = false;
    let limit: number | undefined = FIRST_PAGE;
    for await (const { stored } of this.#pages(groupId, { epoch }, () => limit)) {
      limit = undefined;
      const recorded = stored.filter(({ sentAtMs }) => sentAtMs !== null);
      isAnyRecorded ||= recorded.length > 0;
      const newest = recorded.find(({ sentAtMs }) => sentAtMs !== null && sentAtMs <= atMs);
      if (newest) return newest.message.position;
    }
    return isAnyRecorded ? 'none by then' : 'none recorded';
  }

  /**
   * The newest message in a range that a user sent after a time, without those that leave the own view of their
   * sender where it is; null if there is none.
   */
  async newestOf(
    { groupId, userId }: Member,
    range: MessageBounds,
    afterMs: number,
  ): Promise<Position | null> {
    let limit: number | undefined = FIRST_PAGE;
    for await (const { stored } of this.#pages(groupId, range, () => limit)) {
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
    {
      abovePosition,
      lastPosition,
      epoch,
    }: Omit<MessageBounds, 'abovePosition'> & { readonly abovePosition?: Position },
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
          ProjectionExpression: `SK, kind, #position, senderId, sentAt, recordedAt, deletedAt, silent, mentions, ${OWN_VIEW_STAYS}`,
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
        yield { stored: messagesIn(items, passedOver, epoch), isLast: start === undefined };
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

/** All attributes of a recorded message but its time of recording and its expiry. */
function recordedItem(groupId: GroupId, recording: Recording): Item {
  const { position, senderId, sentAtMs, ownViewStays, reminder } = recording;
  return {
    ...identity(groupId, position),
    senderId: { S: senderId },
    sentAt: { N: String(sentAtMs) },
    ...messageDetails(recording),
    ...(ownViewStays && { [OWN_VIEW_STAYS]: { BOOL: true } }),
    ...reminder,
  };
}

/** What a write returned; without an item, what it has written. */
function recordedIn(recording: Recording, applied: boolean, item: Item | null): RecordedItem {
  const { sentAtMs, ownViewStays, reminder, ...sent } = recording;
  if (!item) return { message: { ...sent, deleted: false }, ownViewStays, known: !applied };
  return { message: messageOf(item), ownViewStays: staysIn(item), known: !applied };
}

/** Nothing was recorded after the epoch: at most a deletion. An item of an earlier version has no time. */
function isUnrecordedSince(epoch: number): Clause {
  return anyOf(
    isAbsent,
    lacks('senderId'),
    lacks('recordedAt'),
    isAtMost('recordedAt', { N: String(epoch) }),
  );
}

/** A message with what the ledger alone knows of it. */
interface StoredMessage {
  readonly message: Message;
  /** When it was sent; null if only its deletion is known. */
  readonly sentAtMs: number | null;
  readonly ownViewStays: boolean;
}

/** The messages of a time after the epoch. */
function messagesIn(items: readonly Item[], passedOver: PassedOver, epoch: number): StoredMessage[] {
  return items.flatMap((item) => {
    const stored = passedOver.read(item, 'message');
    return stored && isAfterEpoch({ epoch }, stored.message.recordedAt)
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
