import type { GroupId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import type { Item } from './items.ts';

/** Enough digits for each time until the year 2286, so that text order is the order of times. */
const TIME_DIGITS = 13;

/**
 * The partitions of the index. One takes 1,000 writes a second, and each run of find-reminders makes a query for each. More
 * may be added, but none removed: messages stand in them.
 */
export const DUE_SHARDS = ['0', '1', '2', '3', '4', '5', '6', '7'] as const;

/** A time in ms as the index holds it. */
export const dueText = (atMs: number): string => String(atMs).padStart(TIME_DIGITS, '0');

/** The attributes with which a message stands in the index of reminders until its reminder begins. */
export function dueItem(groupId: GroupId, position: Position, dueMs: number): Item {
  return { dueShard: { S: shardOf(groupId + position) }, due: { S: dueText(dueMs) } };
}

/** Spreads messages evenly, those of one group too: the hash FNV-1a. */
function shardOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return String((hash >>> 0) % DUE_SHARDS.length);
}
