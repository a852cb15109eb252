import type { GroupId } from '../domain/ids.ts';

/** The keys of a group. The braces are a Redis hash tag: all keys of a group are in one slot. */
export function keysOf(groupId: GroupId) {
  const key = (name: string) => `tm:{${groupId}}:${name}`;
  return {
    members: key('members'),
    messages: key('messages'),
    receipts: key('receipts'),
    joined: key('joined'),
    head: key('head'),
    doubts: key('doubts'),
    early: key('early'),
  } as const;
}

/** Who is connected: one key for all users. */
export const ONLINE_KEY = 'tm:online';

/** The keys that keep one kind of frame of a user and group to one a second. In this order, as the scripts take them. */
export function frameKeysOf(groupId: GroupId, userId: string, kind: string) {
  return { gate: `tm:{${groupId}}:gate:${kind}:${userId}`, due: `tm:{${groupId}}:due:${kind}:${userId}` };
}
