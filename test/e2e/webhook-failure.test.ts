import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { DataDirectory } from '../../local/data-directory.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { engines, eventually, freshPrefix } from '../support/engines.ts';

interface Posted {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const posted: Posted[] = [];
let isWell = true;
const webhook = createServer(async (request, response) => {
  posted.push({ headers: request.headers, body: await text(request) });
  response.writeHead(isWell ? 204 : 500).end();
});

const dataDirectory = mkdtempSync(join(tmpdir(), 'tidemark-webhook-'));
let stack: Stack;
beforeAll(async () => {
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/hook`;
  stack = await startStack({
    port: 0,
    dataDirectory,
    // Engines that run already, as a person gives them by DYNAMODB_ENDPOINT and REDIS_URL.
    dynamodbEndpoint: engines.dynamodbEndpoint,
    redisUrl: engines.redisUrl,
    intercept: (service, original) => (service === 'webhook' ? url : original),
  });
}, 180_000);
afterAll(async () => {
  await stack.stop();
  webhook.close();
  rmSync(dataDirectory, { recursive: true, force: true });
});

const put = (detailType: string, detail: object) =>
  stack.bus.put([
    {
      EventBusName: 'tidemark-local',
      Source: 'tidemark',
      DetailType: detailType,
      Detail: JSON.stringify(detail),
    },
  ]);

const postedFor = (id: string) => posted.filter(({ headers }) => headers['webhook-id'] === id);

test('engines that run already are used and reported', () => {
  expect(stack.description.dynamodb).toMatchObject({
    engineEndpoint: engines.dynamodbEndpoint,
    pid: null,
  });
  expect(stack.description.redis).toMatchObject({ url: engines.redisUrl, pid: null });
});

test('an event is posted once, signed, where the webhook takes it', async () => {
  const [result] = put('WatermarkAdvanced', { version: '1', groupId: freshPrefix() });
  if (!result || !('EventId' in result)) throw new Error('the bus refused the event');
  const [one] = await eventually(() => {
    expect(postedFor(result.EventId)).toHaveLength(1);
    return postedFor(result.EventId);
  });
  const secret = new DataDirectory(dataDirectory).webhookSecret();
  const headers = one?.headers as Record<string, string>;
  expect(() => new Webhook(secret).verify(one?.body ?? '', headers)).not.toThrow();
  expect(() => new Webhook(secret).verify(`${one?.body} `, headers)).toThrow();
  expect(JSON.parse(one?.body ?? '')).toMatchObject({
    id: result.EventId,
    'detail-type': 'WatermarkAdvanced',
  });
});

test('an event that the webhook refuses is tried three times with the same id, then parked', async () => {
  isWell = false;
  const groupId = freshPrefix();
  const [result] = put('WatermarkAdvanced', { version: '1', groupId });
  if (!result || !('EventId' in result)) throw new Error('the bus refused the event');
  const parked = await eventually(
    async () => {
      const response = await fetch(`${stack.description.apiUrl}/_local/dead-letters`);
      const { deadLetters } = (await response.json()) as {
        deadLetters: { queue: string; message: { id: string } }[];
      };
      const own = deadLetters.filter(({ message }) => message.id === result.EventId);
      expect(own).toHaveLength(1);
      return own;
    },
    { deadlineMs: 20_000 },
  );
  expect(parked[0]?.queue).toMatch(/:tidemark-local-notify-dead-letters$/);
  expect(postedFor(result.EventId)).toHaveLength(3);
  expect(new Set(postedFor(result.EventId).map(({ body }) => body)).size).toBe(1);
  isWell = true;
}, 30_000);
