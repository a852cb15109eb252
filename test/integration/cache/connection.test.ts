import { createServer } from 'node:http';
import { afterAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { listenOnLoopback } from '../../../local/http/loopback.ts';
import * as change from '../../../shared/cache/changes.ts';
import { CacheConnection } from '../../../shared/cache/connection.ts';
import { GroupCache } from '../../../shared/cache/group-cache.ts';
import type { CacheCredentials, HttpHandler } from '../../../shared/cache/upstash.ts';
import { engines, eventually } from '../../support/engines.ts';
import { headAt } from '../../support/heads.ts';
import { aGroup, aUser } from '../../support/tidemark.ts';

const RIGHT: CacheCredentials = { url: engines.upstashUrl, token: engines.upstashToken };
const WRONG: CacheCredentials = { url: engines.upstashUrl, token: 'not-the-token' };
const GROUP = aGroup();
const USER = aUser();

/** The answers of the secret store, one after the other; the last one repeats. */
type Secret = () => Promise<CacheCredentials>;
const holds = (credentials: CacheCredentials): Secret => {
  return async () => credentials;
};
const fails: Secret = async () => {
  throw new Error('AccessDeniedException');
};
const isSilent: Secret = () => new Promise(() => undefined);

const http = new NodeHttpHandler();
let secretReads = 0;
let requests = 0;
let nowMs = 0;

beforeEach(() => {
  secretReads = 0;
  requests = 0;
  nowMs = 1_900_000_000_000;
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterAll(() => http.destroy());

function open(secrets: readonly Secret[], handler: HttpHandler = http): GroupCache {
  const connection = new CacheConnection({
    credentials: () => {
      const secret = secrets[secretReads] ?? secrets.at(-1) ?? isSilent;
      secretReads += 1;
      return secret();
    },
    timeoutsMs: { connect: secrets.includes(isSilent) ? 50 : 5_000, read: 5_000, write: 5_000 },
    nowMs: () => nowMs,
    http: {
      handle(request, options) {
        requests += 1;
        return handler.handle(request, options);
      },
    },
  });
  return new GroupCache(connection);
}

const read = async (cache: GroupCache) => (await cache.read({ groupId: GROUP, userId: USER })) !== null;
const write = (cache: GroupCache) => cache.merge(GROUP, [change.head(headAt(1))]);

describe.each([
  ['read', read],
  ['merge', write],
])('a %s', (_name, call) => {
  test('is answered after the secret was read', async () => {
    const cache = open([holds(RIGHT)]);
    expect(await call(cache)).toBe(true);
    expect(await call(cache)).toBe(true);
    expect(secretReads).toBe(1);
  });

  test('ends without an answer if the secret store does not answer, which is called once for all calls', async () => {
    const cache = open([isSilent]);
    for (let count = 0; count < 20; count += 1) expect(await call(cache)).toBe(false);
    expect(secretReads).toBe(1);
    expect(requests).toBe(0);
  });

  test('reads a secret that could not be read again only after 3 s', async () => {
    const cache = open([fails, holds(RIGHT)]);
    for (let count = 0; count < 20; count += 1) expect(await call(cache)).toBe(false);
    nowMs += 2_999;
    expect(await call(cache)).toBe(false);
    expect(secretReads).toBe(1);
    nowMs += 1;
    await eventually(async () => expect(await call(cache)).toBe(true));
    expect(secretReads).toBe(2);
  });

  test('with a refused token reads the secret again, once, and then makes no call of Upstash for 15 s', async () => {
    const cache = open([holds(WRONG), holds(WRONG), holds(RIGHT)]);
    for (let count = 0; count < 20; count += 1) expect(await call(cache)).toBe(false);
    nowMs += 14_999;
    expect(await call(cache)).toBe(false);
    expect(secretReads).toBe(2);
    expect(requests).toBe(1);
    nowMs += 1;
    await eventually(async () => expect(await call(cache)).toBe(true));
    expect(secretReads).toBe(3);
  });

  test('is answered with the new token after a rotation', async () => {
    const cache = open([holds(WRONG), holds(RIGHT)]);
    expect(await call(cache)).toBe(false);
    expect(await call(cache)).toBe(true);
    expect(secretReads).toBe(2);
  });

  test('with a refused new token makes no further call of Upstash', async () => {
    const cache = open([holds(WRONG), holds({ ...WRONG, token: 'nor-this' }), holds(RIGHT)]);
    for (let count = 0; count < 20; count += 1) expect(await call(cache)).toBe(false);
    expect(secretReads).toBe(2);
    expect(requests).toBe(2);
  });
});

test('many calls with a refused token at the same time read the secret again once', async () => {
  const cache = open([holds(WRONG), holds(RIGHT)]);
  await Promise.all(Array.from({ length: 20 }, () => write(cache)));
  expect(await write(cache)).toBe(true);
  expect(await read(cache)).toBe(true);
  expect(secretReads).toBe(2);
});

test('the first answer has the rest of the connection’s timeout', async () => {
  const silent = await listenOnLoopback(createServer(() => undefined));
  const connection = new CacheConnection({
    credentials: holds({ url: silent.url, token: 'a-token' }),
    // Without one bound for both, the calls would last longer than the test.
    timeoutsMs: { connect: 100, read: 60_000, write: 60_000 },
    http,
  });
  const cache = new GroupCache(connection);
  expect(await Promise.all([read(cache), write(cache)])).toEqual([false, false]);
  await silent.close();
});
