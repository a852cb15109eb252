import type { UserId } from './ids.ts';
import { isMentioned, type Message } from './message.ts';
import { formatMessageId, type Position } from './position.ts';

/**
 * The messages above a member's own view that count for it: those of others that are neither silent nor deleted. At most a
 * limit of them is counted, the newest.
 */
export interface Unread {
  readonly count: number;
  /** How many of the counted messages mention the member. */
  readonly mentions: number;
  /** The oldest of the counted messages; null if none was found. */
  readonly first: Position | null;
  /**
   * False where the service stopped counting: there are more than its limit, which `count` then is, or 8 MB of the ledger
   * do not decide. Then `count` is at least 1.
   */
  readonly exact: boolean;
}

export const NOTHING_UNREAD: Unread = { count: 0, mentions: 0, first: null, exact: true };

/** The same up to a limit, where it is not known yet what is below these messages. */
export interface Tally extends Omit<Unread, 'exact'> {
  /** One more than the limit if there are more. Then `mentions` and `first` are about the newest `limit`. */
  readonly count: number;
}

export const EMPTY_TALLY: Tally = { count: 0, mentions: 0, first: null };

/**
 * Adds messages to a tally, up to the limit. They come newest first, and all are older than those that the tally has.
 */
export function addToTally(tally: Tally, messages: readonly Message[], userId: UserId, limit: number): Tally {
  let { count, mentions, first } = tally;
  for (const message of messages) {
    if (count > limit) break;
    if (!countsFor(message, userId)) continue;
    count += 1;
    if (count > limit) break;
    first = message.position;
    if (isMentioned(message, userId)) mentions += 1;
  }
  return { count, mentions, first };
}

/** One tally of two: `older` is about the messages below those of `newer`, and has what the limit left. */
export function joinTallies(newer: Tally, older: Tally): Tally {
  return {
    count: newer.count + older.count,
    mentions: newer.mentions + older.mentions,
    first: older.first ?? newer.first,
  };
}

/** What is unread by a tally up to a limit. If the tally is not decided, at least one message is unread. */
export function unreadOf({ count, mentions, first }: Tally, limit: number, isDecided = true): Unread {
  return {
    count: Math.min(isDecided ? count : Math.max(count, 1), limit),
    mentions,
    first,
    exact: isDecided && count <= limit,
  };
}

/** What is unread as answers and frames have it. */
export function formatUnread({ count, mentions, first, exact }: Unread) {
  return { count, mentions, firstId: first && formatMessageId(first), exact };
}

function countsFor({ senderId, deleted, isSilent }: Message, userId: UserId): boolean {
  return senderId !== null && senderId !== userId && !deleted && !isSilent;
}
