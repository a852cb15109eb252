import { describe, expect, test } from '@jest/globals';
import { dueFrameIn, dueFrameMessage } from '../../../functions/runtime/due-frame.ts';
import { erasureJobIn } from '../../../functions/runtime/erasure-queue.ts';
import { HopelessEvent, type QueuedEvent } from '../../../functions/runtime/event-queue.ts';
import { reminderIn } from '../../../functions/runtime/reminder-queue.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { at } from '../../support/positions.ts';

const [PK, SK] = ['GROUP#tea', 'MSG#00000000000000000007'];
const range = { from: '00000000000000000003', to: '00000000000000000007' };
const key = { PK: { S: PK }, SK: { S: SK } };

interface Job {
  readonly type: string;
  readonly read: (event: QueuedEvent) => unknown;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly job: unknown;
}

const jobs: readonly Job[] = [
  {
    type: 'FrameDue',
    read: dueFrameIn,
    detail: { groupId: 'tea', userId: 'ann', kind: 'view', ...range },
    job: { groupId: 'tea', userId: 'ann', kind: 'view', range },
  },
  { type: 'ReminderDue', read: reminderIn, detail: { PK, SK, atMs: 5 }, job: { key, atMs: 5 } },
  {
    type: 'ErasureDue',
    read: erasureJobIn,
    detail: { PK, SK, waitedSinceMs: null },
    job: { key, waitedSinceMs: null },
  },
];

function eventOf(type: string, detail: unknown): QueuedEvent {
  return JSON.parse(JSON.stringify({ id: 'an-id', 'detail-type': type, detail }));
}

describe.each(jobs)('a message of the type $type', ({ type, read, detail, job }) => {
  test('holds a job', () => {
    expect(read(eventOf(type, detail))).toEqual(job);
  });

  test('is hopeless without one of its fields', () => {
    for (const name of Object.keys(detail)) {
      expect(() => read(eventOf(type, { ...detail, [name]: undefined }))).toThrow(HopelessEvent);
    }
    for (const none of [undefined, null, 'a text']) {
      expect(() => read(eventOf(type, none))).toThrow(HopelessEvent);
    }
  });

  test('is hopeless under another type', () => {
    expect(() => read(eventOf('AnotherDue', detail))).toThrow(HopelessEvent);
  });
});

test('the message of a frame is read as the same frame', () => {
  const [groupId, userId] = ['tea' as GroupId, 'ann' as UserId];
  const frame = { groupId, userId, kind: 'receipts', range: { from: at(3), to: at(7) } } as const;
  expect(dueFrameIn(JSON.parse(dueFrameMessage(frame)))).toEqual(frame);
});
