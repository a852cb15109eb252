import type { ListEntry, ListedMember, ReceiptsPage } from '../cache/receipts-index.ts';
import type { TidemarkEvent } from '../contract/event.ts';
import { unavailable } from '../domain/errors.ts';
import { isAfterEpoch } from '../domain/head.ts';
import { parseUserId, type UserId } from '../domain/ids.ts';
import { isMentioned } from '../domain/message.ts';
import { messageIdAt, parsePosition } from '../domain/position.ts';
import { isMuted } from '../domain/preferences.ts';
import type { Progress, RemindedMessage, Reminders } from '../ledger/reminders.ts';
import { listReceiptsInLedger } from '../operations/receipts-in-ledger.ts';
import { loadIndex } from '../operations/receipts-load.ts';
import type { Tidemark } from '../operations/tidemark.ts';
import type { Publisher } from '../stream/publisher.ts';
import type { ReminderJob, ReminderQueue } from './reminder-job.ts';

/** The most users of one event, as the contract has it. */
const USERS_AN_EVENT = 100;

/** Users of one call of the bus, which takes ten events. After each the progress is stored. */
const USERS_A_STEP = 10 * USERS_AN_EVENT;

/** Members of one page of the cache. */
const PAGE = 500;

/**
 * Members of one page without the cache. Each page reads the whole group: large pages keep their number small. They stay well
 * below the memory of a function.
 */
const LEDGER_PAGE = 10_000;

/** Members that one job looks at. Another job continues, so that no job outlasts its function. */
const MOST_MEMBERS = 2_000;

/** A load of the index that the cache loses begins again. After this many loads the ledger answers. */
const MAX_LOADS = 3;

export interface Reminding {
  readonly tidemark: Tidemark;
  readonly reminders: Reminders;
  readonly publisher: Publisher;
  readonly queue: ReminderQueue;
  /** @default 2,000 */
  readonly mostMembers?: number;
}

/** Where a reminder stands: after this entry of the list, and whether an event was published before. */
interface Place {
  readonly after: ListEntry | null;
  readonly isBegun: boolean;
}

const BEGINNING: Place = { after: null, isBegun: false };

const DONE: Progress = 'done';

/**
 * Publishes who of a message's audience has not read it. Continues where the last job for it stopped. A message that is
 * deleted, expired or done has no events; nor has one from before its group was deleted. May be repeated: the progress is
 * stored after each call of the bus, so a repetition publishes at most the events of one call again.
 *
 *     send-reminders          cache (or ledger)           bus         ledger
 *     1 read       ──────────────────────────────────────────────────▶ message and progress
 *     2 page       ─────────▶ the next members who are
 *                             behind the message
 *     3 publish    ──────────────────────────────────────▶ at most ten events of a hundred users
 *     4 progress   ──────────────────────────────────────────────────▶ the last user of these; again from 2
 *     5 done       ──────────────────────────────────────────────────▶ after the last page
 *
 * Two jobs for one message: the progress of one of them fails in step 4, and it stops.
 */
export async function sendReminder(reminding: Reminding, job: ReminderJob): Promise<void> {
  const { reminders, queue } = reminding;
  const message = await reminders.read(job.key, job.atMs);
  if (!message || message.progress === DONE) return;
  const head = await reminding.tidemark.ledger.heads.read(message.groupId);
  if (!isAfterEpoch(head, message.recordedAt)) return;
  const outcome = await new ReminderRun(reminding, job, message).continue();
  if (outcome !== 'more') return;
  const refused = await queue.add([job]);
  if (refused.length > 0) throw unavailable(new Error('the queue did not accept the rest of a reminder'));
}

/** One job's share of a reminder. */
class ReminderRun {
  readonly #reminding: Reminding;
  readonly #job: ReminderJob;
  readonly #message: RemindedMessage;
  #progress: Progress | null;
  #place: Place;
  /** Users to name in the next events, in the order of the list. */
  #waiting: ListEntry[] = [];

  constructor(reminding: Reminding, job: ReminderJob, message: RemindedMessage) {
    this.#reminding = reminding;
    this.#job = job;
    this.#message = message;
    this.#progress = message.progress;
    this.#place = placeIn(message.progress);
  }

  /** 'more' if another job must continue; 'other' if another job does already, or the message was deleted. */
  async continue(): Promise<'done' | 'more' | 'other'> {
    const { tidemark, mostMembers = MOST_MEMBERS } = this.#reminding;
    let { after } = this.#place;
    let looked = 0;
    for (;;) {
      const page = await pageBehind(tidemark, this.#message, after);
      looked += page.members.length;
      this.#waiting.push(
        ...page.members.filter((member) => isReminded(member, this.#message, this.#job.atMs)),
      );
      // More are waiting than one step takes, so none of these events is the last one.
      while (this.#waiting.length > USERS_A_STEP) {
        if (!(await this.#step(this.#waiting.slice(0, USERS_A_STEP)))) return 'other';
      }
      after = page.next;
      if (!after) return this.#end();
      if (looked >= mostMembers) return (await this.#step(this.#waiting, after)) ? 'more' : 'other';
    }
  }

  async #end(): Promise<'done' | 'other'> {
    const users = this.#waiting.map(({ userId }) => userId);
    // After events that were not the last one there is a last one, even if the others have read by now.
    if (users.length > 0 || this.#place.isBegun) await this.#publish(users, true);
    return (await this.#store(DONE)) ? 'done' : 'other';
  }

  /** Publishes these users and stores the progress. False if another job has stored another progress. */
  async #step(entries: readonly ListEntry[], after = entries.at(-1)): Promise<boolean> {
    await this.#publish(
      entries.map(({ userId }) => userId),
      false,
    );
    this.#waiting = this.#waiting.slice(entries.length);
    this.#place = { after: after ?? this.#place.after, isBegun: this.#place.isBegun || entries.length > 0 };
    return this.#store(progressOf(this.#place));
  }

  async #publish(users: readonly UserId[], isEnd: boolean): Promise<void> {
    const { groupId, position } = this.#message;
    const parts = Array.from({ length: Math.ceil(users.length / USERS_AN_EVENT) }, (_, index) =>
      users.slice(index * USERS_AN_EVENT, (index + 1) * USERS_AN_EVENT),
    );
    if (isEnd && parts.length === 0) parts.push([]);
    const events = parts.map(
      (userIds, index): TidemarkEvent => ({
        type: 'MessageStillUnread',
        ...{ groupId, messageId: messageIdAt(position), userIds: [...userIds] },
        isLast: isEnd && index === parts.length - 1,
      }),
    );
    const refused = await this.#reminding.publisher.publish(events);
    if (refused.length > 0) throw unavailable(new Error(`the bus did not accept ${refused.length} events`));
  }

  async #store(to: Progress): Promise<boolean> {
    const isStored = await this.#reminding.reminders.progress(this.#job.key, this.#progress, to);
    this.#progress = to;
    return isStored;
  }
}

/**
 * Whether an event names a member of the audience who is publicly behind the message: not after a private read, and not if
 * the member has muted the group by the time of the reminder, or wants to be notified of mentions only and is not mentioned.
 */
function isReminded(
  { userId, membership: { self, preferences } }: ListedMember,
  message: RemindedMessage,
  atMs: number,
): boolean {
  if (self.position >= message.position || isMuted(preferences, atMs)) return false;
  return preferences.notify !== 'mentions' || isMentioned(message, userId);
}

/** The next members of the audience who are publicly behind the message, in the order of the receipts. */
async function pageBehind(
  tidemark: Tidemark,
  { groupId, position, senderId }: RemindedMessage,
  after: ListEntry | null,
): Promise<ReceiptsPage> {
  const { receipts } = tidemark.cache;
  for (let loads = 0; loads < MAX_LOADS; loads += 1) {
    const page = await receipts.list(groupId, { position, senderId }, 'unread', PAGE, after);
    if (page && page !== 'missing') return page;
    const outcome = page === null ? 'unavailable' : await loadIndex(tidemark, groupId, false);
    if (outcome === 'unavailable') break;
    // The queue tries again after a pause. To read the ledger meanwhile would read the whole group twice.
    if (outcome === 'loading') throw unavailable(new Error('the receipts are still being loaded'));
  }
  const message = { position, senderId, audience: 0, readCount: 0, deliveredCount: 0 };
  const head = await tidemark.ledger.heads.read(groupId);
  return listReceiptsInLedger(tidemark, groupId, head, message, {
    state: 'unread',
    limit: LEDGER_PAGE,
    after,
  });
}

/** The text of a place: `0` or `1`, whether it is begun, then the position and the user. */
function progressOf({ after, isBegun }: Place): Progress {
  return `${isBegun ? 1 : 0}${after ? `${after.position}|${after.userId}` : ''}`;
}

function placeIn(progress: Progress | null): Place {
  if (progress === null) return BEGINNING;
  const [, begun, position, user] = /^([01])(?:(\d{20})\|(.+))?$/.exec(progress) ?? [];
  if (begun === undefined) throw new Error(`the progress of a reminder cannot be read: ${progress}`);
  const [at, userId] = [parsePosition(position), parseUserId(user)];
  return { after: at && userId ? { position: at, userId } : null, isBegun: begun === '1' };
}
