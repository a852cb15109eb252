import { parseUserId, type UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import { decodePosition } from './position-text.ts';

/** The elements of a reply; of exactly so many where `length` is given. Throws on any other reply. */
export function arrayIn(reply: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(reply) || (length !== undefined && reply.length !== length)) {
    throw new Error(`the cache replied no list of ${length ?? 'any'} elements`);
  }
  return reply;
}

/** A position, or null where the script replied false. */
export function positionIn(reply: unknown): Position | null {
  if (reply === null) return null;
  if (typeof reply !== 'string') throw new Error('the cache replied no position');
  return decodePosition(reply);
}

export function userIn(reply: unknown): UserId {
  const userId = parseUserId(reply);
  if (!userId) throw new Error('the cache replied no user');
  return userId;
}

export function usersIn(reply: unknown): UserId[] {
  return arrayIn(reply).map(userIn);
}
