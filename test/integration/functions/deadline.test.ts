import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Context, DynamoDBRecord } from 'aws-lambda';
import { createBus } from '../../../functions/runtime/bus.ts';
import { ledgerStream } from '../../../functions/runtime/ledger-stream.ts';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';
import { callUntil } from '../../../shared/aws/deadline.ts';
import { CacheConnection } from '../../../shared/cache/connection.ts';
import type { GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { createLedger, createLedgerClient } from '../../../shared/ledger/ledger.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { eventually } from '../../support/engines.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { at } from '../../support/positions.ts';
import { KeptLetters, membership } from '../../support/stream-records.ts';

let requests = 0;
/** The operations of the requests. */
let targets: unknown[] = [];
/** The requests that are answered; the others hang. */
let isAnswered: (request: number) => boolean = () => false;
/** What the bus answers when it has accepted ten events, and the ledger when a list of members has further pages. */
const answer = {
  Entries: Array.from({ length: 10 }, (_, index) => ({ EventId: String(index) })),
  Items: [],
  LastEvaluatedKey: { PK: { S: 'USER#a' }, SK: { S: 'GROUP#g' }, groupId: { S: 'g' }, userId: { S: 'a' } },
};
const server = createServer((request, response: ServerResponse) => {
  requests += 1;
  targets.push(request.headers['x-amz-target']);
  if (!isAnswered(requests)) return;
  request.resume().once('end', () => response.end(JSON.stringify(answer)));
});

let listening: Listening;
beforeAll(async () => {
  listening = await listenOnLoopback(server);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: listening.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    EVENT_BUS_NAME: 'a-bus',
  });
});
beforeEach(() => {
  requests = 0;
  targets = [];
  isAnswered = () => false;
  for (const level of ['warn', 'error'] as const)
    jest.spyOn(console, level).mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(() => listening.close());

const openLedger = () =>
  createLedger(createLedgerClient(), {
    tableName: 'a-table',
    membersIndexName: 'members',
    messageRetentionDays: 90,
  });

describe('a deadline', () => {
  test('fails the call that is under way, which is not tried again', async () => {
    const deadline = new AbortController();
    const call = callUntil(deadline.signal, () => openLedger().probe());
    await eventually(() => expect(requests).toBe(1));
    deadline.abort();
    await expect(call).rejects.toMatchObject({ code: 'unavailable', cause: { name: 'AbortError' } });
    expect(requests).toBe(1);
  });

  test('that has passed lets no further call out, of the ledger or of the cache', async () => {
    const credentials = async () => ({ url: listening.url, token: 'a-token' });
    const cache = new CacheConnection({ credentials });
    const deadline = new AbortController();
    const [read, cached] = await callUntil(deadline.signal, async () => {
      deadline.abort();
      await delay(1);
      return Promise.allSettled([openLedger().probe(), cache.run('readView', [], [], (reply) => reply)]);
    });
    expect(read).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    expect(cached).toEqual({ status: 'fulfilled', value: null });
    expect(requests).toBe(0);
  });

  test('counts for its own work alone', async () => {
    isAnswered = () => true;
    await callUntil(AbortSignal.abort(), async () => undefined);
    await openLedger().probe();
    expect(requests).toBe(1);
  });

  test.each([
    ['the outer', AbortSignal.abort(), new AbortController().signal],
    ['the inner', new AbortController().signal, AbortSignal.abort()],
  ])('counts inside of another one too, if %s is earlier', async (_which, outer, inner) => {
    const call = callUntil(outer, () => callUntil(inner, () => openLedger().probe()));
    await expect(call).rejects.toMatchObject({ code: 'unavailable' });
    expect(requests).toBe(0);
  });

  test('leaves no listener behind for a call that has ended', async () => {
    isAnswered = () => true;
    const { signal } = new AbortController();
    const removed = jest.spyOn(signal, 'removeEventListener');
    await callUntil(signal, () => openLedger().probe());
    await eventually(() => expect(removed).toHaveBeenCalledTimes(1));
  });
});

const recordOf = (groupId: string, sequenceNumber: string): DynamoDBRecord => {
  const itemAt = (read: number) => membership('ann', read, undefined, groupId as GroupId);
  const images = { OldImage: itemAt(2), NewImage: itemAt(5) };
  return { dynamodb: { ...images, SequenceNumber: sequenceNumber } } as unknown as DynamoDBRecord;
};

const beside = () => ({
  publisher: createBus(),
  deadLetters: new DeadLetters(new KeptLetters()),
  erasures: NO_ERASURES,
  published: new RecentRecords(100),
});

/** What Lambda gives a batch. */
function contextOf(timeoutMs: number): Context {
  const endMs = Date.now() + timeoutMs;
  return { getRemainingTimeInMillis: () => endMs - Date.now() } as Context;
}

test('events that the bus accepted before the deadline are done, and the others are reported as failed', async () => {
  // The second call hangs, and its second try, and the third call.
  isAnswered = (request) => request === 1;
  const publication = beside();
  const handler = ledgerStream((records) => publishMoves(publication, records));
  const records = Array.from({ length: 30 }, (_, index) => recordOf(`group-${index}`, String(index)));
  // Of it, 3 s are kept for the report.
  const { batchItemFailures } = await handler({ Records: records }, contextOf(3_500));
  expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29].map(String),
  );
});

test('a search that does not end keeps back the event of its own group alone', async () => {
  isAnswered = () => true;
  const cache = {
    mergeFromStream: async (groupId: string) => ({
      fullyReadPosition: groupId === 'slow' ? null : at(4),
      unknownMembers: [],
      recent: [],
    }),
  } as unknown as GroupCache;
  const tidemark: Tidemark = { ledger: openLedger(), cache, nowMs: Date.now, mode: 'strict' };
  const projection = { ...beside(), tidemark, searchesMs: 300 };
  const handler = ledgerStream((records) => project(projection, records));
  const batch = { Records: [recordOf('slow', '1'), recordOf('other', '2')] };
  expect(await handler(batch, contextOf(8_000))).toEqual({ batchItemFailures: [{ itemIdentifier: '1' }] });
  expect(targets.filter((target) => target === 'AWSEvents.PutEvents')).toHaveLength(1);
});
