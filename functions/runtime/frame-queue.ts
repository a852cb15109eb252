import { randomUUID } from 'node:crypto';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { boundsOf } from '../../shared/aws/bounds.ts';
import { lean } from '../../shared/aws/lean.ts';
import { GATE_MS } from '../../shared/cache/live-cache.ts';
import { parseGroupId, parseUserId } from '../../shared/domain/ids.ts';
import { parsePosition } from '../../shared/domain/position.ts';
import type { DueFrame, FrameQueue } from '../../shared/live/live.ts';
import { HopelessEvent, type QueuedEvent } from './event-queue.ts';

const DETAIL_TYPE = 'FrameDue';

/** A due frame leaves when the gate opens again. */
const DELAY_SECONDS = GATE_MS / 1_000;

/** The queue of frames that are due. Two tries of a second: what fails is an event that is tried again as a whole. */
export function createFrameQueue(url: string): FrameQueue {
  const client = lean(
    new SQSClient({
      ...boundsOf({ attempts: 2, timeoutMs: 1_000 }),
      // The address that the environment names is the one to ask; on AWS it is the queue's own.
      useQueueUrlAsEndpoint: false,
    }),
  );
  return {
    async add({ groupId, userId, kind, range }) {
      const detail = { groupId, userId, kind, ...range };
      const message = { id: randomUUID(), 'detail-type': DETAIL_TYPE, detail };
      await client.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: JSON.stringify(message),
          DelaySeconds: DELAY_SECONDS,
        }),
      );
    },
  };
}

/** The frame in a message of the queue. */
export function dueFrameIn({ detail, 'detail-type': type }: QueuedEvent): DueFrame {
  const { groupId, userId, kind, from, to } = (detail ?? {}) as Readonly<Record<string, unknown>>;
  const due = { groupId: parseGroupId(groupId), userId: parseUserId(userId) };
  const range = { from: parsePosition(from), to: parsePosition(to) };
  const isKnown = type === DETAIL_TYPE && (kind === 'view' || kind === 'receipts');
  if (!isKnown || !due.groupId || !due.userId || !range.from || !range.to) {
    throw new HopelessEvent('the message is no due frame');
  }
  return {
    groupId: due.groupId,
    userId: due.userId,
    kind,
    range: { from: range.from, to: range.to },
  };
}
