import { randomUUID } from 'node:crypto';
import type { Change } from '../cache/group-cache.ts';
import type { GroupId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import { type Position, START } from '../domain/position.ts';
import type { Stores } from './stores.ts';

/** Messages handed to the cache in one call, so that no call grows with the window. */
const LOAD_CHUNK = 1_000;

/**
 * Loads the newest messages above a position into the cache while others go on recording and deleting. The load is announced first:
 * from then on the cache collects what is merged beside it, so that together with what the ledger holds now nothing
 * is missing. Where the cache lost the announcement, the load proves nothing and is not declared done.
 *
 * @returns what is still to be merged, for the load to be done; null where the cache does not answer
 */
export async function loadWindow(
  { cache, ledger, nowMs }: Stores,
  groupId: GroupId,
  position: Position,
): Promise<readonly Change[] | null> {
  const token = `${nowMs()}-${randomUUID()}`;
  if (!(await cache.merge(groupId, [{ kind: 'load', token }]))) return null;
  const [head, newest] = await Promise.all([
    ledger.messages.readHead(groupId),
    ledger.messages.newest(groupId, position, cache.capacity + 1),
  ]);
  const above = newest.filter(({ deleted }) => !deleted)[cache.capacity]?.position ?? position;
  const changes = newest.filter((message) => message.position > above).map(messageChange);
  for (let start = 0; start < changes.length; start += LOAD_CHUNK) {
    if (!(await cache.merge(groupId, changes.slice(start, start + LOAD_CHUNK)))) return null;
  }
  return [headChange(head), { kind: 'loaded', token, above }];
}

/** That no message is recorded is told as well, or it would be asked of the ledger again and again. */
export function headChange(head: Position | null): Change {
  return { kind: 'head', position: head ?? START };
}

function messageChange(message: Message): Change {
  return { kind: 'message', message };
}
