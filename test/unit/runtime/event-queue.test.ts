import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Context, SQSRecord } from 'aws-lambda';
import { eventQueue } from '../../../functions/runtime/event-queue.ts';

let lines: string[];
beforeEach(() => {
  lines = [];
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  // Nothing listens there, so pauses cannot be set. The tests must pass without them.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_LAMBDA_FUNCTION_NAME: 'tidemark-test-worker',
    QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/1/work',
    DEAD_LETTER_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/1/dead',
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const record = (messageId: string, group: string): SQSRecord => ({
  messageId,
  receiptHandle: `handle-${messageId}`,
  body: JSON.stringify({ id: messageId, 'detail-type': 'MessageSent', detail: { group } }),
  attributes: {
    ApproximateReceiveCount: '1',
    SentTimestamp: '0',
    SenderId: 'events',
    ApproximateFirstReceiveTimestamp: '0',
  },
  messageAttributes: {},
  md5OfBody: '',
  eventSource: 'aws:sqs',
  eventSourceARN: 'arn:aws:sqs:us-east-1:1:work',
  awsRegion: 'us-east-1',
});

const options = {
  laneOf: ({ detail }: { detail: unknown }) => (detail as { group: string }).group,
  longestMs: 1_000,
};

const run = (
  handle: (id: string) => Promise<void>,
  records: readonly SQSRecord[],
  remainingMs: () => number = () => 60_000,
) =>
  eventQueue(({ id }) => handle(id), options)({ Records: [...records] }, {
    getRemainingTimeInMillis: remainingMs,
  } as Context);

test('events of a lane are handled in order, and lanes at the same time', async () => {
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  const running = run(
    async (id) => {
      begun.push(id);
      await new Promise<void>((resolve) => open.set(id, resolve));
    },
    [record('a1', 'a'), record('a2', 'a'), record('b1', 'b')],
  );
  while (begun.length < 2) await new Promise(setImmediate);
  expect(begun).toEqual(['a1', 'b1']);
  open.get('b1')?.();
  open.get('a1')?.();
  while (begun.length < 3) await new Promise(setImmediate);
  expect(begun).toEqual(['a1', 'b1', 'a2']);
  open.get('a2')?.();
  expect(await running).toEqual({ batchItemFailures: [] });
  expect(lines).toEqual([]);
});

describe('an event that fails', () => {
  const failing = async (id: string) => {
    if (id === 'a1') throw new Error('no');
  };

  test('is the only one reported, and later events are handled, because events commute', async () => {
    expect(await run(failing, [record('a1', 'a'), record('a2', 'a'), record('b1', 'b')])).toEqual({
      batchItemFailures: [{ itemIdentifier: 'a1' }],
    });
  });

  test('is counted in a separate line, in CloudWatch’s format of metrics in logs', async () => {
    await run(failing, [record('a1', 'a')]);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      _aws: {
        Timestamp: expect.any(Number),
        CloudWatchMetrics: [
          {
            Namespace: 'Tidemark',
            Dimensions: [['FunctionName']],
            Metrics: [{ Name: 'FailedRecords', Unit: 'Count' }],
          },
        ],
      },
      FunctionName: 'tidemark-test-worker',
      FailedRecords: 1,
    });
  });
});

test('an event is not begun without enough time left, and is tried again', async () => {
  // Read for the deadline, for the first event, for the timeout of the whole, and for the second event.
  const left = [60_000, 60_000, 60_000, 9_999];
  const handled: string[] = [];
  const answer = await run(
    async (id) => {
      handled.push(id);
    },
    [record('a1', 'a'), record('a2', 'a')],
    () => left.shift() ?? 0,
  );
  expect(handled).toEqual(['a1']);
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'a2' }] });
});

test('a message that is not an event stays in the queue if the dead-letter queue does not accept it', async () => {
  const broken = { ...record('x', 'a'), body: '{' };
  expect(await run(async () => undefined, [broken, record('a1', 'a')])).toEqual({
    batchItemFailures: [{ itemIdentifier: 'x' }],
  });
});

test('an event that hangs fails alone when the time for it is over, and those beside it are handled', async () => {
  // Enough to begin events: 1 s for an event, and 9 s for the calls to the queues.
  const endMs = Date.now() + 10_200;
  const handled: string[] = [];
  const answer = await run(
    async (id) => {
      if (id === 'a1') await new Promise(() => undefined);
      handled.push(id);
    },
    [record('a1', 'a'), record('b1', 'b'), record('b2', 'b')],
    () => endMs - Date.now(),
  );
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'a1' }] });
  expect(handled).toEqual(['b1', 'b2']);
});
