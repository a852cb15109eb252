import { parseUserId, type UserId } from '../domain/ids.ts';
import { type EarlyMark, parseMarkKind } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { decodeMembership } from './membership-text.ts';
import { decodePosition } from './position-text.ts';

/** The elements of a reply; of exactly so many where `length` is given. Throws on any other reply. */
export function arrayIn(reply: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(reply) || (length !== undefined && reply.length !== length)) {
    throw new Error(`the cache replied no list of ${length ?? 'any'} elements`);
  }
  return reply;
}

/** A position, or null where the script replied false, or with a text that this version cannot read. */
export function positionIn(reply: unknown): Position | null {
  return readable(reply, decodePosition);
}

/** A membership, or null where the script replied false, or with a text that this version cannot read. */
export function membershipIn(reply: unknown): MembershipState | null {
  return readable(reply, decodeMembership);
}

/** What cannot be read is not known, as if it were missing: one entry must not fail the cache for everybody. */
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

/** The users out of a list; one that cannot be read is left out. */
export function usersIn(reply: unknown): UserId[] {
  return arrayIn(reply).flatMap((user) => parseUserId(user) ?? []);
}

const EARLY_MARK_VALUES = 5;

/** Early marks as early-marks.lua tells them. One that cannot be read is left out: they are made good as far as can be. */
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
