import { parseUserId, type UserId } from '../domain/ids.ts';
import { type EarlyMark, parseMarkKind } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { decodeMembership } from './membership-text.ts';
import { decodePosition } from './position-text.ts';

/** What the cache knows of a group for one member. Null means "read the ledger", never "there is none". */
export interface View {
  readonly state: MembershipState | null;
  /** The start if no message is recorded. */
  readonly head: Position | null;
  readonly window: Window | null;
}

/** The messages in the cache: all above `floor`. `unread` counts those of others above the member's own view, up to the head. */
export interface Window {
  readonly floor: Position;
  readonly unread: number;
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
  const [state, head, ...window] = arrayIn(reply, 5);
  return { state: membershipIn(state), head: positionIn(head), window: windowIn(window) };
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
  const [head, ...window] = arrayIn(reply, 4);
  return { head: positionIn(head), window: windowIn(window) };
}

function windowIn([floor, unread, kept]: readonly unknown[]): Window | null {
  const known = positionIn(floor);
  return known && { floor: known, unread: Number(unread), kept: Number(kept) };
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
