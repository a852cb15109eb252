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
