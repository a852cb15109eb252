import type { Head } from '../domain/head.ts';
import type { UserId } from '../domain/ids.ts';
import type { EarlyMark } from '../domain/mark.ts';
import type { Departure, MembershipState } from '../domain/membership.ts';
import type { Mentions, Message } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import { encodeHead } from './head-text.ts';
import { encodeMembership } from './membership-text.ts';
import { encodePosition } from './position-text.ts';
import { encodeTime } from './time-text.ts';

declare const changeBrand: unique symbol;

/**
 * One thing that the cache merges about a group, as merge-group.lua receives it: its kind, then the values of that
 * kind. Each kind has one function here and one of the same name in the script. All values come from the ledger.
 */
export type Change = readonly string[] & { readonly [changeBrand]: true };

/** A membership or departure, just read from the ledger. */
export const member = (userId: UserId, state: MembershipState): Change =>
  entry('member', userId, encodeMembership(state));

/** Several members that were just read from the ledger. */
export const members = (states: Iterable<readonly [UserId, MembershipState]>): Change[] =>
  [...states].map(([userId, state]) => member(userId, state));

/** A member's state that may be old. A membership is merged only if the cache holds the member already; a departure always. */
export const knownMember = (userId: UserId, state: MembershipState): Change =>
  entry('knownMember', userId, encodeMembership(state));

/** A departure that the ledger has removed. What it ended goes too; a later membership or departure of the user stays. */
export const forgotten = (userId: UserId, departure: Departure): Change =>
  entry('forgotten', userId, encodeMembership(departure));

/** The member has just joined. Comes in addition to `member`. */
export const joined = (userId: UserId): Change => entry('joined', userId);

/** The member's own view is about to go back (timeline: operations/mark-unread.ts). */
export const doubt = (userId: UserId, token: string): Change => entry('doubt', userId, token);

/** Ends a doubt: the cache now holds the new own view, or the ledger was not written. */
export const settled = (userId: UserId, token: string): Change => entry('settled', userId, token);

/** A clamped mark, whose message is not recorded yet. The cache keeps it for a minute. */
export const early = ({ userId, position, generation, revision, kind }: EarlyMark): Change =>
  entry('early', userId, encodePosition(position), String(generation), String(revision), kind);

/** Takes out early marks at or below the head, at most `limit`: the reply has them. */
export const due = (limit: number): Change => entry('due', String(limit));

/** A head, just read from the ledger. */
export const head = (state: Head): Change => entry('head', encodeHead(state));

/**
 * A head that may be old. Without a head in the cache it is not merged; if it has an epoch, the other keys are emptied, since
 * they may be of a time up to it.
 */
export const knownHead = (state: Head): Change => entry('knownHead', encodeHead(state));

/**
 * A head that the ledger has removed, long after the group was deleted. The cache's goes too if it is the same: it would win
 * over one of a group that is used again, which has no epoch.
 */
export const expiredHead = (state: Head): Change => entry('expiredHead', encodeHead(state));

/** A message that is recorded or deleted. */
export const message = (state: Message): Change => {
  const { position, senderId, recordedAt, isSilent, mentions } = state;
  if (state.deleted || senderId === null) return deleted(state);
  const sent = [encodePosition(position), senderId, encodeTime(recordedAt)];
  return isSilent ? entry('silent', ...sent) : entry('sent', ...sent, mentionsText(mentions));
};

/** A message that no longer counts, whether or not the cache holds it. */
export const deleted = ({ position, recordedAt }: Pick<Message, 'position' | 'recordedAt'>): Change =>
  entry('deleted', encodePosition(position), encodeTime(recordedAt));

/** A load of the window begins (timeline: operations/message-window.ts). The token begins with the time in ms. */
export const load = (token: string): Change => entry('load', token);

/** The load of the window is complete: the cache holds every message above the floor. */
export const loaded = (token: string, floor: Position): Change =>
  entry('loaded', token, encodePosition(floor));

/** A step of a load of the receipts: all members up to this one are merged, and the lease is extended. */
export const index = (token: string, leaseEndMs: number, lastUserId: UserId): Change =>
  entry('index', token, String(leaseEndMs), lastUserId);

/** The load of the receipts is complete: every member is merged. */
export const indexed = (token: string): Change => entry('indexed', token);

/** The member found behind all others in a search of the ledger. Nobody searches again until it moves. */
export const laggard = (userId: UserId): Change => entry('laggard', userId);

/** As group-view.lua has it: neither `#` nor a comma is in an id. */
function mentionsText(mentions: Mentions): string {
  return mentions === 'all' ? '#all' : mentions.join(',');
}

function entry(kind: string, ...values: string[]): Change {
  return [kind, ...values] as readonly string[] as Change;
}
