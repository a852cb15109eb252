import type { Context } from 'aws-lambda';
import type { ServerFrame } from '../shared/contract/server-frames.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { closeExpired } from '../shared/live/push.ts';
import { markRead } from '../shared/operations/mark-read.ts';
import { membershipMode } from './runtime/composition.ts';
import { answerFrame } from './runtime/frames.ts';
import { createLive } from './runtime/live.ts';
import { prepare } from './runtime/prepare.ts';
import { type ConnectionEvent, connectionOf } from './runtime/web-socket-event.ts';

const live = createLive(membershipMode());

interface FrameEvent extends ConnectionEvent {
  readonly body?: string | undefined;
}

/** Answers a frame of a client. API Gateway sends the body back over the connection. */
export async function handler(event: FrameEvent, context: Context) {
  const frame = await answerTo(event, context);
  return { statusCode: 200, ...(frame && { body: JSON.stringify(frame) }) };
}

async function answerTo(event: FrameEvent, context: Context): Promise<ServerFrame | null> {
  const caller = connectionOf(event);
  if (caller.tokenExpiresAtMs > live.tidemark.nowMs()) {
    return answerFrame(live, {
      text: event.body,
      requestId: event.requestContext.requestId,
      caller,
      context,
    });
  }
  // Posted, not returned: a frame that is returned would arrive after the connection is closed.
  await closeExpired(live.sockets, caller.connectionId);
  return null;
}

await prepare({
  tidemark: live.tidemark,
  // Always strict: in an open deployment the rehearsal would make a member.
  operation: () => markRead({ ...live.tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [],
});
