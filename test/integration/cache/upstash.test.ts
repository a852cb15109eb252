import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';
import { Upstash } from '../../../shared/cache/upstash.ts';
import { eventually } from '../../support/engines.ts';

const TOKEN = 'a-token';
const NEVER_MS = 60_000;

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The client's end of the connection. */
  readonly port: number | undefined;
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const answerWith =
  (body: unknown, { status = 200, headers = {} } = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

/** What no Redis can be made to do: a server that answers as each test says, in order. */
const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  request.once('end', () => {
    const { method, url, headers, socket } = request;
    received.push({ method, url, headers, body, port: socket.remotePort });
    const answer = answers.shift();
    if (!answer) throw new Error('one request more than the test expects');
    answer(response, request);
  });
});

const sockets = new Set<Socket>();
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});

let received: Received[] = [];
let answers: Answer[] = [];
let listening: Listening;
let url: string;
let http: NodeHttpHandler;
let upstash: Upstash;

beforeAll(async () => {
  listening = await listenOnLoopback(server);
  url = listening.url;
});

beforeEach(() => {
  http?.destroy();
  received = [];
  answers = [];
  http = new NodeHttpHandler();
  upstash = new Upstash({ url, token: TOKEN }, http);
});

afterAll(async () => {
  http.destroy();
  await listening.close();
});

describe('a command', () => {
  test('is posted as JSON with the token, and its result is not changed', async () => {
    answers = [answerWith({ result: ['9007199254740993', null, 3] })];
    const result = await upstash.client(() => NEVER_MS).evalsha('abc', ['k'], ['00000000009007199254740993']);
    expect(result).toEqual(['9007199254740993', null, 3]);
    expect(received).toMatchObject([
      {
        method: 'POST',
        url: '/',
        body: '["evalsha","abc",1,"k","00000000009007199254740993"]',
        headers: { authorization: 'Bearer a-token', 'content-type': 'application/json' },
      },
    ]);
    // Nothing is encoded that would have to be decoded.
    expect(received[0]?.headers).not.toHaveProperty('upstash-encoding');
  });

  test('goes to the path of the URL', async () => {
    answers = [answerWith({ result: null })];
    const below = new Upstash({ url: `${url}/a/base`, token: TOKEN }, http);
    expect(await below.client(() => NEVER_MS).get('k')).toBeNull();
    expect(received[0]?.url).toBe('/a/base');
  });

  test('that is refused fails with the error text of Upstash', async () => {
    answers = [answerWith({ error: 'WRONGPASS invalid or missing auth token' }, { status: 401 })];
    await expect(upstash.client(() => NEVER_MS).get('k')).rejects.toThrow(
      'WRONGPASS invalid or missing auth token',
    );
  });

  test.each([
    ['<html>bad gateway</html>', 502, 'Upstash answered 502 without JSON'],
    ['', 200, 'Upstash answered 200 without JSON'],
    ['{"message":"too many"}', 429, 'Upstash answered 429 without a result'],
  ])('answered %j with status %d fails', async (body, status, message) => {
    answers = [answerWith(body, { status })];
    await expect(upstash.client(() => NEVER_MS).get('k')).rejects.toThrow(message);
  });

  test('by the digest of a script that Upstash no longer has is sent again with its text', async () => {
    answers = [
      answerWith({ error: 'NOSCRIPT No matching script. Please use EVAL.' }, { status: 400 }),
      answerWith({ result: 'done' }),
    ];
    const script = upstash.client(() => NEVER_MS).createScript('return "done"');
    expect(await script.exec(['k'], [])).toBe('done');
    expect(received.map(({ body }) => JSON.parse(body)[0])).toEqual(['evalsha', 'eval']);
  });
});

describe('an answer', () => {
  const endless: Answer = (response) => {
    const piece = 'x'.repeat(65_536);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"result":"');
    const writeOn = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', writeOn);
    writeOn();
  };
  const cutOff: Answer = (response, { socket }) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
    response.write('{"result":', () => socket.destroy());
  };

  test('without an end fails before it fills the memory, and frees its connection', async () => {
    answers = [endless, answerWith({ result: 'next' })];
    await expect(upstash.client(() => NEVER_MS).get('k')).rejects.toThrow(
      'the answer of Upstash is longer than 4194304 characters',
    );
    await eventually(() => expect(sockets.size).toBe(0));
    expect(await upstash.client(() => NEVER_MS).get('k')).toBe('next');
  });

  test('as long as the largest possible reply arrives completely', async () => {
    const result = 'x'.repeat(4_000_000);
    answers = [answerWith({ result })];
    expect(await upstash.client(() => NEVER_MS).get('k')).toBe(result);
  });

  test('that is cut off fails', async () => {
    answers = [cutOff];
    await expect(upstash.client(() => NEVER_MS).get('k')).rejects.toThrow('aborted');
  });
});

describe('reads return earlier writes', () => {
  test('also from a replica: each request has the sync token of the last answer, of any client', async () => {
    answers = [
      answerWith({ result: 'OK' }, { headers: { 'upstash-sync-token': 'first' } }),
      answerWith({ result: 'v' }, { headers: { 'upstash-sync-token': 'second' } }),
      answerWith({ result: 'v' }),
    ];
    const asking = upstash.client(() => NEVER_MS);
    await upstash.client(() => NEVER_MS).set('k', 'v');
    await asking.get('k');
    await asking.get('k');
    expect(received.map(({ headers }) => headers['upstash-sync-token'])).toEqual([
      undefined,
      'first',
      'second',
    ]);
  });
});

describe('the connection', () => {
  test('stays open from one call to the next', async () => {
    answers = [answerWith({ result: 1 }), answerWith({ result: 2 })];
    await upstash.client(() => NEVER_MS).get('k');
    await upstash.client(() => NEVER_MS).get('k');
    expect(received).toHaveLength(2);
    expect(received[1]?.port).toBe(received[0]?.port);
  });

  test('is opened again if it was closed in the meantime', async () => {
    const closing: Answer = (_response, { socket }) => socket.destroy();
    answers = [answerWith({ result: 'first' }), closing, answerWith({ result: 'second' })];
    const client = upstash.client(() => NEVER_MS);
    expect(await client.get('k')).toBe('first');
    expect(await client.get('k')).toBe('second');
    expect(received).toHaveLength(3);
  });

  test('fails the call if it is closed again and again', async () => {
    const closing: Answer = (_response, { socket }) => socket.destroy();
    answers = [closing, closing];
    await expect(upstash.client(() => NEVER_MS).get('k')).rejects.toThrow();
    expect(received).toHaveLength(2);
  });
});

describe('a call that takes too long', () => {
  const nothing: Answer = () => undefined;
  const half: Answer = (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
    response.write('{"result":');
  };

  test.each([
    ['no answer', nothing],
    ['half an answer', half],
  ])('with %s fails, is not repeated, and gives its connection back', async (_name, answer) => {
    answers = [answer, answerWith({ result: 'next' })];
    await expect(upstash.client(() => 50).get('k')).rejects.toThrow('no answer in time');
    expect(received).toHaveLength(1);
    await eventually(() => expect(sockets.size).toBe(0));
    expect(await upstash.client(() => NEVER_MS).get('k')).toBe('next');
  });
});
