import { parseGroupId, parseUserId } from '../../shared/domain/ids.ts';
import { parsePosition } from '../../shared/domain/position.ts';
import type { DueFrame } from '../../shared/live/live.ts';
import { HopelessEvent, type QueuedEvent } from './event-queue.ts';
import { jobDetail, jobMessage } from './job-message.ts';

const TYPE = 'FrameDue';

/** The message of the queue for a frame. */
export function dueFrameMessage({ groupId, userId, kind, range }: DueFrame): string {
  return jobMessage(TYPE, { groupId, userId, kind, ...range });
}

/** The frame in a message of the queue. */
export function dueFrameIn(event: QueuedEvent): DueFrame {
  const { kind, ...fields } = jobDetail(event, TYPE);
  const [groupId, userId] = [parseGroupId(fields.groupId), parseUserId(fields.userId)];
  const [from, to] = [parsePosition(fields.from), parsePosition(fields.to)];
  const isKnown = kind === 'view' || kind === 'receipts';
  if (!isKnown || !groupId || !userId || !from || !to) throw new HopelessEvent('the message is no due frame');
  return { groupId, userId, kind, range: { from, to } };
}
