import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Item } from '../../../shared/ledger/items.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import type { UnreadableRecord } from '../../../shared/stream/stream-records.ts';
import { brokenMembership, KeptLetters, membership } from '../../support/stream-records.ts';

let queue: KeptLetters;
let run: (unreadable: readonly UnreadableRecord[]) => Promise<string[]>;
beforeEach(() => {
  queue = new KeptLetters();
  const deadLetters = new DeadLetters(queue);
  run = (unreadable) => deadLetters.setAside(unreadable);
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const unreadable = (
  sequenceNumber: string,
  before: Item | null,
  after: Item | null,
  reason = 'a reason',
): UnreadableRecord => ({ record: { sequenceNumber, before, after }, reason });

const withText = (text: string): Item => ({ ...brokenMembership('a'), note: { S: text } });

describe('a record in the dead-letter queue', () => {
  test('has its origin, the reason, and an event to invoke the function with again', async () => {
    const [before, after] = [membership('a', 5), brokenMembership('a')];
    expect(await run([unreadable('17', before, after, 'no valid public')])).toEqual([]);
    expect(queue.letters).toEqual([
      {
        functionName: 'a-function',
        reason: 'no valid public',
        sequenceNumber: '17',
        key: { PK: 'USER#a', SK: 'GROUP#g' },
        record: { dynamodb: { SequenceNumber: '17', NewImage: after, OldImage: before } },
      },
    ]);
  });

  test('has the key of the old image if the item is gone, and no key if there is none', async () => {
    await run([unreadable('1', brokenMembership('a'), null), unreadable('2', null, null)]);
    expect(queue.letters).toMatchObject([
      { key: { PK: 'USER#a', SK: 'GROUP#g' }, record: { dynamodb: { SequenceNumber: '1' } } },
      { key: { PK: null, SK: null }, record: { dynamodb: { SequenceNumber: '2' } } },
    ]);
  });

  test.each([
    ['plain', 'x'],
    ['quotes', '"'],
    ['backslashes', '\\'],
    ['characters of several bytes', '\u{1f30a}'],
    ['characters that SQS refuses', '\uffff\u0000'],
  ])('is cut to the size that a queue accepts: %s', async (_what, text) => {
    const large = withText(text.repeat(390_000 / text.length));
    expect(await run([unreadable('17', large, large)])).toEqual([]);
    const [message = ''] = queue.messages;
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(262_144);
    expect(message.length).toBeGreaterThan(100_000);
    const { clippedRecord, ...rest } = queue.letters[0] ?? {};
    expect(rest).toEqual({
      functionName: 'a-function',
      reason: 'a reason',
      sequenceNumber: '17',
      key: { PK: 'USER#a', SK: 'GROUP#g' },
    });
    expect(clippedRecord).toMatch(/^\{"dynamodb":\{"SequenceNumber":"17","NewImage":\{"PK":/);
  });

  test('has no character that SQS refuses, and loses no text', async () => {
    const odd = withText('\uffff\ufffe\u0000\ud800 \u{1f30a} ü');
    await run([unreadable('1', null, odd)]);
    expect(queue.messages[0]).toMatch(/^[\x20-\x7e]*$/);
    expect(queue.letters[0]).toMatchObject({ record: { dynamodb: { NewImage: odd } } });
  });
});

describe('records that the queue does not accept', () => {
  test('fail, and after the first failures the others are not sent', async () => {
    queue.isDown = true;
    const records = Array.from({ length: 100 }, (_, index) => unreadable(String(index), null, null));
    expect((await run(records)).length).toBe(100);
    expect(queue.tries).toBeLessThanOrEqual(10);
  });

  test('are sent by the next try, and the accepted ones are not', async () => {
    await run([unreadable('1', null, null)]);
    queue.isDown = true;
    expect(await run([unreadable('1', null, null), unreadable('2', null, null)])).toEqual(['2']);
    queue.isDown = false;
    expect(await run([unreadable('1', null, null), unreadable('2', null, null)])).toEqual([]);
    expect(queue.letters.map(({ sequenceNumber }) => sequenceNumber)).toEqual(['1', '2']);
  });

  test('without a sequence number are never confused with each other', async () => {
    await run([unreadable('', null, null)]);
    await run([unreadable('', null, null)]);
    expect(queue.messages).toHaveLength(2);
  });
});

test('a batch logs one short line', async () => {
  const records = Array.from({ length: 100 }, (_, index) => unreadable(String(index), null, null));
  await run(records);
  expect(console.error).toHaveBeenCalledTimes(1);
  expect(JSON.stringify(jest.mocked(console.error).mock.calls).length).toBeLessThan(1_000);
});
