import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Context, DynamoDBRecord } from 'aws-lambda';
import { ledgerStream } from '../../../functions/runtime/ledger-stream.ts';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { KeptLetters, membership } from '../../support/stream-records.ts';

let letters: KeptLetters;
let published: TidemarkEvent[];
let invoke: (records: unknown[]) => Promise<unknown>;
beforeEach(() => {
  letters = new KeptLetters();
  const deadLetters = new DeadLetters(letters);
  published = [];
  const publish = async (events: readonly TidemarkEvent[]) => {
    published.push(...events);
    return [];
  };
  const remembered = new RecentRecords(10);
  const handler = ledgerStream((records) =>
    publishMoves({ publisher: { publish }, deadLetters, published: remembered }, records),
  );
  invoke = async (records) =>
    handler({ Records: records as DynamoDBRecord[] }, { getRemainingTimeInMillis: () => 30_000 } as Context);
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const images = { OldImage: membership('a', 2), NewImage: membership('a', 5) };

test('a record without a sequence number goes to the dead-letter queue, and the others are handled', async () => {
  const sound = { dynamodb: { ...images, SequenceNumber: '1' } };
  expect(await invoke([{ dynamodb: images }, {}, sound])).toEqual({ batchItemFailures: [] });
  expect(published).toMatchObject([{ type: 'WatermarkAdvanced', from: '2', to: '5' }]);
  expect(letters.letters).toMatchObject([
    { reason: 'a record of the stream has no sequence number', record: { dynamodb: images } },
    { reason: 'a record of the stream has no sequence number' },
  ]);
});

test('a record without a sequence number fails its batch if the dead-letter queue does not accept it', async () => {
  letters.isDown = true;
  // For Lambda an empty identifier is a failure of the whole batch.
  expect(await invoke([{ dynamodb: images }])).toEqual({ batchItemFailures: [{ itemIdentifier: '' }] });
});

test('the record in a dead letter can be sent to the function again', async () => {
  const broken = { ...images.NewImage, public: { S: 'x' } };
  await invoke([{ dynamodb: { OldImage: images.OldImage, NewImage: broken, SequenceNumber: '7' } }]);
  const { record } = letters.letters[0] ?? {};
  expect(record).toEqual({ dynamodb: { SequenceNumber: '7', NewImage: broken, OldImage: images.OldImage } });
  // A later version that can read the item would handle it.
  const mended = { dynamodb: { ...(record as DynamoDBRecord).dynamodb, NewImage: images.NewImage } };
  expect(await invoke([mended])).toEqual({ batchItemFailures: [] });
  expect(published).toMatchObject([{ from: '2', to: '5' }]);
});
