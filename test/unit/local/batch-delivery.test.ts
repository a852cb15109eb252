import { describe, expect, test } from '@jest/globals';
import type { InvocationResult } from '../../../local/aws/lambda/instance.ts';
import {
  deliverBatch,
  type RetryPolicy,
  type StreamItem,
} from '../../../local/aws/streams/batch-delivery.ts';

const POLICY: RetryPolicy = { maxRetries: 3, maxAgeSeconds: 3_600 };

const item = (sequenceNumber: string, createdAtMs = Date.now()): StreamItem => ({
  sequenceNumber,
  createdAtMs,
});
const failures = (...ids: string[]): InvocationResult => ({
  ok: true,
  payload: JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }),
});
const crash: InvocationResult = { ok: false, errorType: 'Error', errorMessage: 'crashed' };

async function deliver(
  records: readonly StreamItem[],
  invoke: (ids: string[]) => InvocationResult,
  policy: Partial<RetryPolicy> = {},
) {
  const batches: string[][] = [];
  const given: string[] = [];
  const isHandled = await deliverBatch(
    {
      policy: { ...POLICY, ...policy },
      invoke: async (batch) => {
        const ids = batch.map(({ sequenceNumber }) => sequenceNumber);
        batches.push(ids);
        return invoke(ids);
      },
      giveUp: (lost) => given.push(...lost.map(({ sequenceNumber }) => sequenceNumber)),
      isStopped: () => false,
      wait: async () => undefined,
    },
    records,
  );
  return { batches, given, isHandled };
}

describe('delivering a batch of the stream', () => {
  const three = [item('1'), item('2'), item('3')];

  test('continues if nothing failed', async () => {
    expect(await deliver(three, () => failures())).toEqual({
      batches: [['1', '2', '3']],
      given: [],
      isHandled: true,
    });
  });

  test('begins again at the lowest record that failed', async () => {
    let calls = 0;
    const { batches, given } = await deliver(three, () => failures(...(calls++ === 0 ? ['3', '2'] : [])));
    expect(batches).toEqual([
      ['1', '2', '3'],
      ['2', '3'],
    ]);
    expect(given).toEqual([]);
  });

  test('gives up only a record that always fails', async () => {
    const { batches, given } = await deliver(three, (ids) => failures(...ids.filter((id) => id === '2')));
    expect(given).toEqual(['2']);
    expect(batches.at(0)).toEqual(['1', '2', '3']);
    // It failed once in the whole batch; three retries follow.
    expect(batches.filter(([first]) => first === '2')).toHaveLength(3);
    expect(batches.at(-1)).toEqual(['3']);
  });

  test('splits a batch that crashes the function until the failing record is alone', async () => {
    const { given, batches } = await deliver([...three, item('4')], (ids) =>
      ids.includes('3') ? crash : failures(),
    );
    expect(given).toEqual(['3']);
    expect(batches).toContainEqual(['1', '2']);
    expect(batches).toContainEqual(['4']);
  });

  test('gives up a whole batch that crashes the function one by one', async () => {
    expect(await deliver(three, () => crash)).toMatchObject({ given: ['1', '2', '3'], isHandled: true });
  });

  test('gives up records that are too old without a try', async () => {
    const { batches, given } = await deliver([item('1', Date.now() - 61_000), item('2')], () => failures(), {
      maxAgeSeconds: 60,
    });
    expect(given).toEqual(['1']);
    expect(batches).toEqual([['2']]);
  });

  test('treats a failure that names no record of the batch as a failure of the whole batch', async () => {
    expect((await deliver([item('1')], () => failures('9'))).given).toEqual(['1']);
  });
});
