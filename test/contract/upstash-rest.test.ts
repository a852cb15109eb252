import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from '@upstash/redis';
import { type RunningRedis, startRedis } from '../../local/engines/redis.ts';
import { startUpstashRest } from '../../local/engines/upstash-rest.ts';
import type { Listening } from '../../local/http/loopback.ts';
import { engines, eventually, freshPrefix } from '../support/engines.ts';

const TOKEN = 'a-token';

const required = process.env.TIDEMARK_REQUIRE_REDIS_SERVER === '1';
const kinds =
  required || engines.redisEngine === 'redis-server'
    ? (['redis-server', 'embedded'] as const)
    : (['embedded'] as const);

describe.each(kinds)("Upstash's REST API in front of %s", (kind) => {
  let redis: RunningRedis;
  let rest: Listening;
  let client: Redis;
  let exactClient: Redis;
  let key: string;

  beforeAll(async () => {
    redis = await startRedis({ preferred: kind });
    rest = await startUpstashRest({ redisUrl: redis.url, token: TOKEN });
    client = new Redis({ url: rest.url, token: TOKEN });
    exactClient = new Redis({ url: rest.url, token: TOKEN, automaticDeserialization: false });
  });

  beforeEach(() => {
    key = freshPrefix('k');
  });

  afterAll(async () => {
    await rest?.close();
    await redis?.stop();
  });

  /** A request as the documentation shows it, for what the client does not let through. */
  async function ask(
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    { method = 'POST', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; body: string }> {
    const response = await fetch(rest.url + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, body: await response.text() };
  }

  describe('the stock client with its default settings', () => {
    test('writes and reads values of every type', async () => {
      expect(await client.set(key, { read: true, upTo: '101' })).toBe('OK');
      expect(await client.get(key)).toEqual({ read: true, upTo: '101' });
      expect(await client.get(`${key}:none`)).toBeNull();
      expect(await client.hset(`${key}:h`, { alice: 'a', bob: 'b' })).toBe(2);
      expect(await client.hgetall(`${key}:h`)).toEqual({ alice: 'a', bob: 'b' });
      expect(await client.hmget(`${key}:h`, 'bob', 'nobody')).toEqual({ bob: 'b', nobody: null });
      expect(await client.zadd(`${key}:z`, { score: 0, member: '2|b' }, { score: 0, member: '1|a' })).toBe(2);
      expect(await client.zrange(`${key}:z`, '[2', '+', { byLex: true })).toEqual(['2|b']);
      expect(await client.zlexcount(`${key}:z`, '-', '+')).toBe(2);
      expect(await client.set(`${key}:ok`, 'OK')).toBe('OK');
      expect(await client.get(`${key}:ok`)).toBe('OK');
    });

    test.each(['héllo wörld', '日本語 🌊', 'a\0b\r\n"c"\\', ' ', 'T0s='])(
      'keeps the text %j',
      async (text) => {
        await client.hset(key, { field: text });
        expect(await client.hget(key, 'field')).toBe(text);
        expect(
          await client.eval(`return {redis.call('HGET', KEYS[1], 'field'), {'nested'}}`, [key], []),
        ).toEqual([text, ['nested']]);
      },
    );

    test('sees its own writes, by the sync token that it sends', async () => {
      for (let n = 1; n <= 5; n++) {
        await client.set(key, `v${n}`);
        expect(await client.get(key)).toBe(`v${n}`);
      }
    });

    test('pipelines', async () => {
      const pipeline = client
        .pipeline()
        .set(key, 'a')
        .get(key)
        .hset(`${key}:h`, { f: '1' })
        .get(`${key}:none`);
      expect(await pipeline.exec()).toEqual(['OK', 'a', 1, null]);
    });

    test('names the command of a pipeline that failed, and runs the others', async () => {
      const pipeline = client.pipeline().set(key, 'text').incr(key).set(`${key}:after`, 'ran');
      await expect(pipeline.exec()).rejects.toThrow(
        'Command 2 [ incr ] failed: ERR value is not an integer or out of range',
      );
      expect(await client.get(`${key}:after`)).toBe('ran');
    });

    test('runs transactions, none of them between the commands of another', async () => {
      const transactions = Array.from({ length: 20 }, () =>
        client.multi().incr(key).get(key).del(key).exec(),
      );
      expect(await Promise.all(transactions)).toEqual(Array.from({ length: 20 }, () => [1, 1, 1]));
    });

    test('gets an error in the words of Redis', async () => {
      await client.set(key, 'text');
      await expect(client.hget(key, 'field')).rejects.toThrow(
        'Command failed: WRONGTYPE Operation against a key holding the wrong kind of value',
      );
    });

    test('gets an error for a wrong token', async () => {
      await expect(new Redis({ url: rest.url, token: 'another' }).ping()).rejects.toThrow(
        'WRONGPASS invalid or missing auth token',
      );
    });
  });

  describe('numbers of 64 bits', () => {
    const ids = ['9007199254740992', '9007199254740993', '18446744073709551614', '18446744073709551615'];

    test('stay text, whatever the encoding of the reply', async () => {
      const plainClient = new Redis({
        url: rest.url,
        token: TOKEN,
        automaticDeserialization: false,
        responseEncoding: false,
      });
      await exactClient.hset(key, { a: ids[0], b: ids[1], c: ids[2], d: ids[3] });
      for (const reader of [exactClient, plainClient]) {
        expect(await reader.hget(key, 'c')).toBe('18446744073709551614');
        expect(await reader.eval(`return redis.call('HVALS', KEYS[1])`, [key], [])).toEqual(ids);
      }
    });

    test('in a request are not rounded', async () => {
      await ask('/', `["SET", "${key}", 9007199254740993]`);
      expect(await ask(`/get/${key}`)).toEqual({ status: 200, body: '{"result":"9007199254740993"}' });
    });

    // The embedded engine itself computes with doubles.
    if (kind === 'redis-server') {
      test('in a reply are not rounded', async () => {
        await exactClient.set(key, '9007199254740992');
        expect(await ask(`/incr/${key}`)).toEqual({ status: 200, body: '{"result":9007199254740993}' });
        expect(await ask('/pipeline', `[["DECRBY", "${key}", "18014398509481987"]]`)).toEqual({
          status: 200,
          body: '[{"result":-9007199254740994}]',
        });
      });
    }
  });

  describe('scripts', () => {
    const flagged = `#!lua flags=allow-key-locking
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HLEN', KEYS[1]), false, ARGV[1] .. '|' .. ARGV[2]}`;

    test('with the line of the lock flag run, from the script cache and after it is lost', async () => {
      const script = exactClient.createScript(flagged);
      const expected = ['18446744073709551615', 1, null, 'alice|18446744073709551615'];
      for (let run = 1; run <= 3; run++) {
        expect(await script.exec([key], ['alice', '18446744073709551615'])).toEqual(expected);
      }
      await exactClient.scriptFlush();
      await expect(script.evalsha([key], ['alice', '18446744073709551615'])).rejects.toThrow(
        'NOSCRIPT No matching script. Please use EVAL.',
      );
      expect(await script.exec([key], ['alice', '18446744073709551615'])).toEqual(expected);
      expect(await script.evalsha([key], ['alice', '18446744073709551615'])).toEqual(expected);
    });

    test('are called by the SHA of the text as it was sent', async () => {
      const text = '#!lua flags=allow-key-locking\nreturn ARGV[1]';
      const sha = '2a96d6016fefc2029195d631c5a8e09ec967c245';
      expect(await client.scriptLoad(text)).toBe(sha);
      expect(await client.scriptExists(sha)).toEqual([1]);
      expect(await client.evalsha(sha, [], ['given'])).toBe('given');
      expect(await client.pipeline().evalsha(sha, [], ['in a pipeline']).exec()).toEqual(['in a pipeline']);
      expect(await client.multi().scriptLoad(text).evalsha(sha, [], ['x']).exec()).toEqual([sha, 'x']);
    });

    test('without the flag are not changed', async () => {
      const text = `-- not #!lua flags=allow-key-locking\nreturn 'plain'`;
      expect(await client.eval(text, [], [])).toBe('plain');
      expect(await client.createScript(text).exec([], [])).toBe('plain');
    });

    test('keep the line numbers of their errors', async () => {
      const failing = `#!lua flags=allow-key-locking\n\nerror('no')`;
      await expect(client.eval(failing, [], [])).rejects.toThrow('user_script:3: no');
    });
  });

  describe('bytes that are not text', () => {
    const bytes = Uint8Array.from([0, 1, 0xff, 0xfe, 0x80, 10]);

    test('come back unchanged if the client requests base64', async () => {
      expect(await ask(`/set/${key}`, bytes)).toEqual({ status: 200, body: '{"result":"OK"}' });
      expect(await ask(`/get/${key}`, undefined, { headers: { 'Upstash-Encoding': 'base64' } })).toEqual({
        status: 200,
        body: '{"result":"AAH//oAK"}',
      });
      expect((await ask(`/get/${key}`)).body).toBe('{"result":"\\u0000\\u0001\uFFFD\uFFFD\uFFFD\\n"}');
    });
  });

  describe('commands as paths', () => {
    test('run with the body as the last argument, and options after it', async () => {
      expect(await ask(`/set/${key}/bar`, undefined, { method: 'GET' })).toEqual({
        status: 200,
        body: '{"result":"OK"}',
      });
      expect((await ask(`/get/${key}`, undefined, { method: 'GET' })).body).toBe('{"result":"bar"}');
      expect((await ask(`/set/${key}?EX=100`, 'from the body')).body).toBe('{"result":"OK"}');
      expect((await ask(`/get/${key}`)).body).toBe('{"result":"from the body"}');
      expect((await ask(`/expire/${key}/200/GT`)).body).toBe('{"result":1}');
      expect((await ask(`/set/${key}%2Fslash/a%20b`)).body).toBe('{"result":"OK"}');
      expect(await client.get(`${key}/slash`)).toBe('a b');
    });

    test('accept the token as a parameter', async () => {
      const response = await fetch(`${rest.url}/set/${key}/bar?_token=${TOKEN}`);
      expect(await response.text()).toBe('{"result":"OK"}');
    });
  });

  describe('errors', () => {
    const endpoints = ['/', '/pipeline', '/multi-exec', '/get/foo', '/script/flush', '/nowhere'];

    test.each(endpoints)('401 without the right token at %s', async (path) => {
      const refused = { status: 401, body: '{"error":"WRONGPASS invalid or missing auth token"}' };
      for (const authorization of ['Bearer wrong', 'Bearer ', TOKEN, `Basic ${TOKEN}`]) {
        expect(await ask(path, '["PING"]', { headers: { authorization } })).toEqual(refused);
      }
      const without = await fetch(rest.url + path, { method: 'POST', body: '[["PING"]]' });
      expect({ status: without.status, body: await without.text() }).toEqual(refused);
    });

    test.each([
      ['["HGET"]', `{"error":"ERR wrong number of arguments for 'hget' command"}`],
      ['["NOSUCH", "a"]', `{"error":"ERR unknown command 'NOSUCH', with args beginning with: 'a' "}`],
      [
        '["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"]',
        '{"error":"NOSCRIPT No matching script. Please use EVAL."}',
      ],
    ])('400 for %s, never encoded', async (command, body) => {
      const headers = { 'Upstash-Encoding': 'base64' };
      expect(await ask('/', command, { headers })).toEqual({ status: 400, body });
      expect(await ask('/pipeline', `[${command}]`, { headers })).toEqual({ status: 200, body: `[${body}]` });
    });

    test.each(['', '{', '[]', '{}', '"PING"', 'null', '[null]', '[["PING"]]', '["SET", "k", {}]'])(
      '400 for the body %j',
      async (body) => {
        expect(await ask('/', body)).toEqual({
          status: 400,
          body: '{"error":"ERR failed to parse command"}',
        });
      },
    );

    test.each(['', '{', '[]', '["PING"]', '[[]]', '[["PING"], null]'])(
      '400 for the batch %j',
      async (body) => {
        const refused = { status: 400, body: '{"error":"ERR failed to parse pipeline request"}' };
        expect(await ask('/pipeline', body)).toEqual(refused);
        expect(await ask('/multi-exec', body)).toEqual(refused);
      },
    );

    test('405 for a method that is not served', async () => {
      expect((await ask('/', '["PING"]', { method: 'DELETE' })).status).toBe(405);
    });

    test('a transaction with a command that Redis refuses runs none of its commands', async () => {
      expect(await ask('/multi-exec', `[["SET", "${key}", "a"], ["NOSUCH"]]`)).toEqual({
        status: 400,
        body: '{"error":"EXECABORT Transaction discarded because of previous errors."}',
      });
      expect(await client.get(key)).toBeNull();
    });

    test('a transaction continues after a command that fails', async () => {
      const commands = `[["SET", "${key}", "a"], ["HGET", "${key}", "f"], ["GET", "${key}"]]`;
      expect(await ask('/multi-exec', commands)).toEqual({
        status: 200,
        body: '[{"result":"OK"},{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"},{"result":"a"}]',
      });
    });

    test.each(['subscribe', 'MONITOR', 'select', 'multi', 'quit', 'blpop'])(
      '%s, which would block the connection for everybody, is not available',
      async (name) => {
        const body = `{"error":"ERR Command is not available: '${name.toUpperCase()}'"}`;
        expect(await ask('/', `["${name}", "0", "0"]`)).toEqual({ status: 400, body });
        expect(await ask('/multi-exec', `[["${name}", "0", "0"]]`)).toEqual({ status: 400, body });
        expect(await client.ping()).toBe('PONG');
      },
    );
  });

  describe('when Redis', () => {
    /** As a crash would end it, where it is a process. */
    async function killRedis(): Promise<void> {
      if (redis.pid !== null) process.kill(redis.pid, 'SIGKILL');
      await redis.stop();
    }

    test('dies, requests fail at once; after its return they work again', async () => {
      await client.set(key, 'a');
      await killRedis();
      const { status, body } = await ask(`/get/${key}`);
      expect(status).toBe(503);
      expect(JSON.parse(body)).toEqual({ error: expect.stringMatching(/^ERR Redis does not answer: /) });
      await expect(client.pipeline().get(key).exec()).rejects.toThrow('ERR Redis does not answer');
      await expect(client.multi().get(key).exec()).rejects.toThrow('ERR Redis does not answer');

      redis = await startRedis({ preferred: kind, port: Number(new URL(redis.url).port) });
      expect(await eventually(() => client.get(key))).toBeNull();
      expect(await client.createScript('#!lua flags=allow-key-locking\nreturn 1').exec([], [])).toBe(1);
    });

    // What follows needs a process of its own to stop.
    if (kind === 'embedded') return;

    /** Lets the front read what was sent before: it answers these without Redis. */
    async function askWithoutRedis(): Promise<void> {
      for (let n = 0; n < 50; n++) {
        await ask('/', '["PING"]', { headers: { authorization: 'Bearer wrong' } });
      }
    }

    test('hangs, requests wait for it', async () => {
      process.kill(Number(redis.pid), 'SIGSTOP');
      let answered = false;
      const waiting = client.incr(key).finally(() => {
        answered = true;
      });
      await askWithoutRedis();
      expect(answered).toBe(false);
      process.kill(Number(redis.pid), 'SIGCONT');
      expect(await waiting).toBe(1);
    });

    test('dies before it answers, the command is not sent again', async () => {
      process.kill(Number(redis.pid), 'SIGSTOP');
      const refused = expect(client.incr(key)).rejects.toThrow('ERR Redis does not answer');
      await askWithoutRedis();
      await killRedis();
      await refused;
      redis = await startRedis({ preferred: kind, port: Number(new URL(redis.url).port) });
      expect(await eventually(() => client.get(key))).toBeNull();
    });
  });
});
