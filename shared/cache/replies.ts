import { parseUserId, type UserId } from '../domain/ids.ts';
import { type EarlyMark, parseMarkKind } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { decodeMembership } from './membership-text.ts';
import { decodePosition } from './position-text.ts';

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
 * Early marks as early-marks.lua replies them. Leaves out those that cannot be read, since applying them is best
 * effort.
 */
export function earlyMarksIn(reply: unknown): EarlyMark[] {
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
