import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { fieldsOf } from '../../local/http/api-client.ts';
import { type Listening, listenOnLoopback } from '../../local/http/loopback.ts';
import { engines, eventually, freshPrefix } from '../support/engines.ts';
import { withStack } from '../support/running-stack.ts';

interface Posted {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const posted: Posted[] = [];
let isWell = true;
/** The number of successful posts of each event. */
const taken = new Map<string, number>();
let answersAfterMs = 0;
let underWay = 0;
let mostUnderWay = 0;
const webhook = createServer(async (request, response) => {
  underWay += 1;
  mostUnderWay = Math.max(mostUnderWay, underWay);
  posted.push({ headers: request.headers, body: await text(request) });
  await delay(answersAfterMs);
  underWay -= 1;
  const id = String(request.headers['webhook-id']);
  if (isWell) taken.set(id, (taken.get(id) ?? 0) + 1);
  response.writeHead(isWell ? 204 : 500).end();
});

let listening: Listening;
beforeAll(async () => {
  listening = await listenOnLoopback(webhook);
});
const stack = withStack(() => ({
  // Running engines, as with DYNAMODB_ENDPOINT and REDIS_URL.
  dynamodbEndpoint: engines.dynamodbEndpoint,
  redisUrl: engines.redisUrl,
  context: { webhookConcurrency: '2' },
  speed: 600,
  intercept: (service, original) => (service === 'webhook' ? `${listening.url}/hook` : original),
}));
afterAll(() => listening.close());

const put = (detailType: string, detail: object) => stack.putEvent('tidemark', detailType, detail);

const postedFor = (id: string) => posted.filter(({ headers }) => headers['webhook-id'] === id);

/** The dead letters of the webhook. notify has others: it cannot read the events of these tests. */
const parked = async () => {
  const all = fieldsOf(await stack.call(null, 'GET', '/_local/dead-letters')).deadLetters;
  return (all as { queue: string }[]).filter(({ queue }) => queue.includes('-deliver-webhook-'));
};

test('running engines are used, and named in dev.json', () => {
  expect(stack.description.dynamodb).toMatchObject({
    engineEndpoint: engines.dynamodbEndpoint,
    pid: null,
  });
  expect(stack.description.redis).toMatchObject({ url: engines.redisUrl, pid: null });
});

test('an event that the webhook accepts is posted once, with a signature', async () => {
  const result = put('WatermarkAdvanced', { version: '1', groupId: freshPrefix() });
  if (!('EventId' in result)) throw new Error('the bus refused the event');
  const [one] = await eventually(() => {
    expect(postedFor(result.EventId)).toHaveLength(1);
    return postedFor(result.EventId);
  });
  const secret = new DataDirectory(stack.dataDirectory).webhookSecret();
  const headers = one?.headers as Record<string, string>;
  expect(() => new Webhook(secret).verify(one?.body ?? '', headers)).not.toThrow();
  expect(() => new Webhook(secret).verify(`${one?.body} `, headers)).toThrow();
  expect(JSON.parse(one?.body ?? '')).toMatchObject({
    id: result.EventId,
    'detail-type': 'WatermarkAdvanced',
  });
});

test('an event that the webhook refuses is posted again with the same id until it is accepted, and is not parked', async () => {
  isWell = false;
  const result = put('WatermarkAdvanced', { version: '1', groupId: freshPrefix() });
  if (!('EventId' in result)) throw new Error('the bus refused the event');
  // The sixth try comes after more than five minutes on AWS.
  await eventually(() => expect(postedFor(result.EventId).length).toBeGreaterThanOrEqual(6));
  expect(new Set(postedFor(result.EventId).map(({ body }) => body)).size).toBe(1);
  isWell = true;
  await eventually(() => expect(stack.queue('deliver-webhook').messages()).toEqual([]));
  expect(taken.get(result.EventId)).toBe(1);
  expect(await parked()).toEqual([]);
});

test('a slow webhook gets every event, with at most webhookConcurrency posts at once', async () => {
  answersAfterMs = 200;
  mostUnderWay = 0;
  const results = Array.from({ length: 24 }, (_, index) =>
    put('WatermarkAdvanced', { version: '1', groupId: `${freshPrefix()}-${index}` }),
  );
  const ids = results.map((result) => ('EventId' in result ? result.EventId : 'refused'));
  await eventually(() => {
    for (const id of ids) expect(postedFor(id)).toHaveLength(1);
  });
  expect(mostUnderWay).toBe(2);
  answersAfterMs = 0;
});

test('a message that is not an event goes to the dead-letter queue at once', async () => {
  for (const body of ['{', '{"id":"7"}']) {
    stack.queue('deliver-webhook').send({ body });
  }
  await eventually(async () =>
    expect(await parked()).toMatchObject([
      { message: '{', reason: 'the message is no JSON' },
      { message: { id: '7' }, reason: 'the message is no event' },
    ]),
  );
});
