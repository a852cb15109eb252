import { pushDueFrame } from '../shared/live/push.ts';
import { dueFrameIn } from './runtime/due-frame.ts';
import { eventQueue } from './runtime/event-queue.ts';
import { createLive, rehearsePushes } from './runtime/live.ts';
import { prepare } from './runtime/prepare.ts';

const live = createLive();

/** A frame makes a few calls of ledger and cache in sequence; then it waits for the slowest of its connections. */
const LONGEST_MS = 20_000;

/** Pushes frames that were due. Two of the same user, group and kind are pushed one after the other. */
export const handler = eventQueue((event) => pushDueFrame(live, dueFrameIn(event)), {
  laneOf: ({ detail }) => {
    const { groupId, userId, kind } = (detail ?? {}) as Readonly<Record<string, unknown>>;
    return `${groupId} ${userId} ${kind}`;
  },
  longestMs: LONGEST_MS,
});

await prepare({
  tidemark: live.tidemark,
  operation: () => rehearsePushes(live),
  others: [handler.rehearse],
});
