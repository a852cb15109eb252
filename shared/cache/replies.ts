import type { Head } from '../domain/head.ts';
import { parseUserId, type UserId } from '../domain/ids.ts';
import { type EarlyMark, parseMarkKind } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import type { Tally } from '../domain/unread.ts';
import { decodeHead } from './head-text.ts';
import { decodeMembership } from './membership-text.ts';
import { decodePosition } from './position-text.ts';

/** What the cache knows of a group for one member. Null means "read the ledger", never "there is none". */
export interface View {
  readonly state: MembershipState | null;
  readonly head: Head | null;
  readonly window: Window | null;
}

/** The messages in the cache: all above `floor`. */
export interface Window {
  readonly floor: Position;
  /** What is unread of them for the member, up to the limit of the cache. */
  readonly unread: Tally;
  /** The number of messages in the window. It may be 0 if the own view is not below the floor: then nobody needs it. */
  readonly kept: number;
}

/** The reply to a merge of records of the stream. */
export interface MergedFromStream {
  /**
   * How far everyone has read; or, if it is at or below the given position, how far one member has read. Null if it is
   * not known.
   */
  readonly fullyReadPosition: Position | null;
  /** Merged members whom the index lacks: their join did not reach the cache, or they have left since. */
  readonly unknownMembers: readonly UserId[];
  /** Members who joined a moment ago, whom the ledger's list may lack. Empty if no position was given. */
  readonly recent: readonly UserId[];
}

/** The reply to a doubt: the view at that moment. */
export interface Doubted {
  readonly view: View;
  /** The doubt was stored and must be settled. False if the cache does not hold the member. */
  readonly isNoted: boolean;
}

/**
 * What the cache knows of a member, and how some messages relate to it. Both are null if it does not hold the member.
 */
export interface Statuses {
  readonly state: MembershipState | null;
  readonly relations: readonly Relation[] | null;
}

/**
 * What the cache knows of one group of the inbox. The window is null if nothing is above the position read up to, or if the
 * head is.
 */
export type InboxView = Pick<View, 'head' | 'window'>;

/**
 * How a message relates to a member. `below`: at or below the own view. `own`: sent by the member. `other`: sent by
 * another user or not recorded. `unknown`: read the ledger.
 */
export type Relation = (typeof RELATIONS)[number];

const RELATIONS = ['below', 'own', 'other', 'unknown'] as const;

/** Decodes the reply of `view` in group-view.lua. Throws on any other. */
export function viewIn(reply: unknown): View {
  const [state, head, ...window] = arrayIn(reply, 7);
  return { state: membershipIn(state), head: headIn(head), window: windowIn(window) };
}

export function doubtedIn(reply: unknown): Doubted {
  const [view, isNoted] = arrayIn(reply, 2);
  return { view: viewIn(view), isNoted: isNoted === 1 };
}

export function statusesIn(reply: unknown, length: number): Statuses {
  const [text, ...relations] = arrayIn(reply);
  const state = membershipIn(text);
  if (!state) return { state: null, relations: null };
  return { state, relations: arrayIn(relations, length).map(relationIn) };
}

function relationIn(reply: unknown): Relation {
  const relation = RELATIONS.find((one) => one === reply);
  if (!relation) throw new Error('the cache replied no relation of a message to a member');
  return relation;
}

/** The length of the reply of merge-group.lua without a view. */
const MERGED_LENGTH = 4;

export function mergedFromStreamIn(reply: unknown): MergedFromStream {
  const [position, unknownMembers, recent] = arrayIn(reply, MERGED_LENGTH);
  return {
    fullyReadPosition: positionIn(position),
    unknownMembers: usersIn(unknownMembers),
    recent: usersIn(recent),
  };
}

export function dueMarksIn(reply: unknown): EarlyMark[] {
  return earlyMarksIn(arrayIn(reply, MERGED_LENGTH)[3]);
}

export function inboxViewIn(reply: unknown): InboxView {
  const [head, ...window] = arrayIn(reply, 6);
  return { head: headIn(head), window: windowIn(window) };
}

/** Null without a floor, and if the first unread message is unreadable. */
function windowIn([floorText, unread, mentions, firstText, kept]: readonly unknown[]): Window | null {
  const [floor, first, count] = [positionIn(floorText), positionIn(firstText), Number(unread)];
  if (!floor || (count > 0 && !first)) return null;
  return { floor, unread: { count, mentions: Number(mentions), first }, kept: Number(kept) };
}

/** The elements of a reply. Throws if it is not a list, or does not have `length` elements. */
export function arrayIn(reply: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(reply) || (length !== undefined && reply.length !== length)) {
    throw new Error(`the cache replied no list of ${length ?? 'any'} elements`);
  }
  return reply;
}

/** A position; null if the script replied false or a text that this version cannot read. */
export function positionIn(reply: unknown): Position | null {
  return readable(reply, decodePosition);
}

/** A head; null if the script replied false or a text that this version cannot read. */
export function headIn(reply: unknown): Head | null {
  return readable(reply, decodeHead);
}

/** A membership; null if the script replied false or a text that this version cannot read. */
export function membershipIn(reply: unknown): MembershipState | null {
  return readable(reply, decodeMembership);
}

/** An unreadable text counts as missing, so that one bad entry does not fail the cache for everybody. */
function readable<T>(reply: unknown, decode: (text: string) => T): T | null {
  if (reply === null) return null;
  if (typeof reply !== 'string') throw new Error('the cache replied no text');
  try {
    return decode(reply);
  } catch {
    return null;
  }
}

export function userIn(reply: unknown): UserId {
  const userId = parseUserId(reply);
  if (!userId) throw new Error('the cache replied no user');
  return userId;
}

/** The users of a list. Leaves out ids that cannot be read. */
export function usersIn(reply: unknown): UserId[] {
  return arrayIn(reply).flatMap((user) => parseUserId(user) ?? []);
}

const EARLY_MARK_VALUES = 5;

/**
 * Early marks as early-marks.lua replies them. Leaves out those that cannot be read, since
 * applying them is best effort.
 */
function earlyMarksIn(reply: unknown): EarlyMark[] {
  const values = arrayIn(reply).map(String);
  const marks: EarlyMark[] = [];
  for (let start = 0; start < values.length; start += EARLY_MARK_VALUES) {
    const [user, text, generation, revision, name] = values.slice(start, start + EARLY_MARK_VALUES);
    const [userId, position, kind] = [parseUserId(user), positionIn(text), parseMarkKind(name)];
    if (!userId || !position || !kind) continue;
    marks.push({ userId, position, generation: Number(generation), revision: Number(revision), kind });
  }
  return marks;
}
