import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { GATE_MS } from '../../shared/cache/frame-gates.ts';
import type { FrameQueue } from '../../shared/live/live.ts';
import { dueFrameMessage } from './due-frame.ts';
import { createSqsClient } from './sqs-client.ts';

/** A due frame leaves when the gate opens again. */
const DELAY_SECONDS = GATE_MS / 1_000;

/** The queue of frames that are due. Two tries of a second: what fails is an event that is tried again as a whole. */
export function createFrameQueue(url: string): FrameQueue {
  const client = createSqsClient(1_000);
  return {
    async add(frame) {
      await client.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: dueFrameMessage(frame),
          DelaySeconds: DELAY_SECONDS,
        }),
      );
    },
  };
}
