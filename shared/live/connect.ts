import { MAX_CONNECTIONS } from '../contract/frames.ts';
import type { UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Connection } from '../ledger/connections.ts';
import type { Live } from './live.ts';

/** Connections of one user that are closed at the same time. */
const CLOSED_AT_ONCE = 10;

/**
 * Opens a connection of a user and returns 'open'. Returns 'too-many' if the user already has 20 newer connections. If
 * there are more than 20, the oldest ones are closed. Each caller first writes its own connection and then reads all: of
 * several at the same time, the last one sees all others, so that no more than 20 remain.
 */
export async function openConnection(
  { connections, cache, sockets, tidemark }: Live,
  userId: UserId,
  connection: Connection,
): Promise<'open' | 'too-many'> {
  await connections.add(userId, connection);
  const [all] = await Promise.all([
    connections.ofUser(userId, tidemark.nowMs()),
    // Best effort: `sync`, which a client sends when it is connected, notes it again.
    cache.noteOnline(userId, connection.connectedAtMs),
  ]);
  const { connectionId: own } = connection;
  const isNewEnough = all.slice(-MAX_CONNECTIONS).some(({ connectionId }) => connectionId === own);
  if (!isNewEnough) {
    // Only itself: if each of a thousand at once removed all others, there would be a million removals.
    await connections.remove(userId, own);
    return 'too-many';
  }
  await inParallel(all.slice(0, -MAX_CONNECTIONS), CLOSED_AT_ONCE, async ({ connectionId }) => {
    await connections.remove(userId, connectionId);
    await sockets.close(connectionId);
  });
  return 'open';
}
