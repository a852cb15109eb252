import type { Context } from 'aws-lambda';
import { callUntil } from '../shared/aws/deadline.ts';
import type { ServerFrame } from '../shared/contract/server-frames.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { TOKEN_EXPIRED } from '../shared/live/push.ts';
import { markRead } from '../shared/operations/mark-read.ts';
import { membershipMode } from './runtime/composition.ts';
import { type ConnectionEvent, connectionOf } from './runtime/connection.ts';
import { answerFrame } from './runtime/frames.ts';
import { createLive } from './runtime/live.ts';
import { prepare } from './runtime/prepare.ts';
import { withDeadline } from './runtime/with-deadline.ts';

const live = createLive(membershipMode());

interface FrameEvent extends ConnectionEvent {
  readonly body?: string | undefined;
}

/**
 * The part of the function's time that is kept for the answer: the longest pause between two tries, and the answer itself.
 * At its timeout Lambda would kill the instance, and the client would get a frame of the gateway without `ref`.
 */
const ANSWERING_MS = 1_500;

/**
 * Answers a frame of a client. API Gateway sends the body back over the connection. The calls that are not done before the
 * function's timeout end there, as in a route: the answer then has the status 503.
 */
export async function handler(event: FrameEvent, context: Pick<Context, 'getRemainingTimeInMillis'>) {
  const frame = await withDeadline(context.getRemainingTimeInMillis() - ANSWERING_MS, (deadline) =>
    callUntil(deadline, () => answerTo(event)),
  );
  return { statusCode: 200, ...(frame && { body: JSON.stringify(frame) }) };
}

async function answerTo(event: FrameEvent): Promise<ServerFrame | null> {
  const caller = connectionOf(event);
  if (caller.tokenExpiresAtMs > live.tidemark.nowMs()) {
    return answerFrame(live, { text: event.body, requestId: event.requestContext.requestId, caller });
  }
  // Posted, not returned: a frame that is returned would arrive after the connection is closed.
  await live.sockets.post(caller.connectionId, TOKEN_EXPIRED);
  await live.sockets.close(caller.connectionId);
  return null;
}

await prepare({
  tidemark: live.tidemark,
  // Strict whatever the deployment is: nobody must not become a member.
  operation: () => markRead({ ...live.tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [],
});
