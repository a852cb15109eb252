import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createBus } from '../../functions/runtime/bus.ts';
import { createSecretsClient, readSecret } from '../../functions/runtime/secret.ts';
import { type Listening, listenOnLoopback } from '../../local/http/loopback.ts';
import type { TidemarkEvent } from '../../shared/contract/event.ts';
import { createLedger, createLedgerClient } from '../../shared/ledger/ledger.ts';

type Answer = (response: ServerResponse) => void;

const nothing: Answer = () => undefined;
const half: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1', 'content-length': 100 });
  response.write('{"');
};

let requests = 0;
let headers: IncomingHttpHeaders = {};
let answer: Answer = nothing;
const server = createServer((request, response) => {
  requests += 1;
  ({ headers } = request);
  answer(response);
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
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterAll(() => listening.close());

const EVENT: TidemarkEvent = { type: 'GroupFullyRead', groupId: 'g', upTo: '1' };

// Without a bound, each of these would still wait when the test is given up.
describe.each([
  ['does not answer', nothing],
  ['stops in the middle of an answer', half],
])('a service that %s', (_what, given) => {
  beforeEach(() => {
    answer = given;
  });

  test('is asked for a secret twice, and then the read fails', async () => {
    await expect(readSecret(createSecretsClient(), 'a-secret')).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    expect(requests).toBe(2);
  });

  test('is given an event a second time if it did not accept the event', async () => {
    expect(await createBus().publish([EVENT])).toEqual([EVENT]);
    expect(requests).toBe(2);
  });

  test('is asked for an item three times, and then the ledger is unavailable', async () => {
    const ledger = createLedger(createLedgerClient(), {
      tableName: 'a-table',
      membersIndexName: 'members',
      messageRetentionDays: 90,
    });
    await expect(ledger.probe()).rejects.toMatchObject({ code: 'unavailable' });
    expect(requests).toBe(3);
  });
});

describe('a call', () => {
  const ledger = () =>
    createLedger(createLedgerClient(), {
      tableName: 'a-table',
      membersIndexName: 'members',
      messageRetentionDays: 90,
    });
  const all: Answer = (response) => response.writeHead(200).end('{"Entries":[{"EventId":"1"}]}');

  test.each([
    ['of the ledger', () => ledger().probe()],
    ['of the bus', () => createBus().publish([EVENT])],
  ])('%s is signed, and spends nothing on a header that nobody reads', async (_what, call) => {
    answer = all;
    await call();
    expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 /);
    expect(headers).not.toHaveProperty('user-agent');
    expect(headers).not.toHaveProperty('x-amz-user-agent');
  });

  test('is not copied for a logger that is not there', () => {
    const steps = createLedgerClient().middlewareStack.identify();
    expect(steps.filter((step) => step.includes('logger'))).toEqual([]);
  });
});
