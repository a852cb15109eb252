import type { Context } from 'aws-lambda';
import { SUBPROTOCOL } from '../shared/contract/frames.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { openConnection } from '../shared/live/connect.ts';
import { createLive } from './runtime/live.ts';
import { prepare } from './runtime/prepare.ts';
import { type ConnectionEvent, connectionOf, statusAfter } from './runtime/web-socket-event.ts';

const live = createLive();

const TOO_MANY_REQUESTS = 429;

/** A client connects. The subprotocol must be in the answer, or the client closes the connection. */
export async function handler(event: ConnectionEvent, context: Context) {
  return statusAfter(event, context, async () => {
    const { userId, ...connection } = connectionOf(event);
    const outcome = await openConnection(live, userId, connection);
    if (outcome === 'too-many') return { statusCode: TOO_MANY_REQUESTS };
    return { statusCode: 200, headers: { 'Sec-WebSocket-Protocol': SUBPROTOCOL } };
  });
}

await prepare({
  tidemark: live.tidemark,
  operation: () => live.connections.ofUser(NOBODY.userId, 0),
  writes: true,
  others: [],
});
