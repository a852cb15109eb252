import middy from '@middy/core';
import type { Context, EventBridgeEvent } from 'aws-lambda';
import { CONNECTIONS_URL, FRAMES_QUEUE_URL } from '../shared/contract/environment.ts';
import type { TidemarkEvent } from '../shared/contract/event.ts';
import { variable } from './runtime/environment.ts';

/** A deployment without the WebSocket API pushes nothing, and loads nothing of it. */
const pushes = process.env[CONNECTIONS_URL] ? await loadPushes() : null;

/**
 * Logs each event of Tidemark, so that the log counts them, and pushes what it changes to connected clients. The webhook has
 * its own function. Lambda retries an event that fails, or whose pushes do not end before the function's deadline.
 */
export const handler = middy<EventBridgeEvent<string, object>, void>().handler(async (event, context) => {
  console.info({ message: 'event', detailType: event['detail-type'], id: event.id });
  await pushes?.({ type: event['detail-type'], ...event.detail } as TidemarkEvent, event.id, context);
});

async function loadPushes(): Promise<
  (event: TidemarkEvent, eventId: string, context: Context) => Promise<void>
> {
  const [{ createLive, rehearsePushes }, { createFrameQueue }, { pushEvent }, { prepare }, { inTime }] =
    await Promise.all([
      import('./runtime/live.ts'),
      import('./runtime/frame-queue.ts'),
      import('../shared/live/push.ts'),
      import('./runtime/prepare.ts'),
      import('./runtime/in-time.ts'),
    ]);
  const live = createLive();
  const queue = createFrameQueue(variable(FRAMES_QUEUE_URL));
  await prepare({ tidemark: live.tidemark, operation: () => rehearsePushes(live), others: [] });
  return (event, eventId, context) => inTime(context, () => pushEvent(live, queue, event, eventId));
}
