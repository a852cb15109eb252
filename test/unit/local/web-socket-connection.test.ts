import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { WebSocket } from 'ws';
import { Connection } from '../../../local/aws/web-sockets/connection.ts';
import type { Client } from '../../../local/aws/web-sockets/events.ts';
import { API_GATEWAY_LIMITS } from '../../../local/aws/web-sockets/limits.ts';

/** As much of a socket as a connection uses. A close frame is answered at once. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: { readonly text: string; readonly fin: boolean }[] = [];

  send(data: Buffer, { fin }: { readonly fin: boolean }): void {
    this.sent.push({ text: data.toString(), fin });
  }

  close(code: number, reason: string): void {
    this.readyState = 3;
    this.emit('close', code, Buffer.from(reason));
  }

  terminate(): void {}
}

let socket: FakeSocket;
let endings: unknown[];
let connection: Connection;
beforeEach(() => {
  jest.useFakeTimers();
  socket = new FakeSocket();
  endings = [];
  connection = new Connection(
    {} as Client,
    socket as unknown as WebSocket,
    new PassThrough(),
    API_GATEWAY_LIMITS,
    {
      message: () => undefined,
      closed: (ending) => endings.push(ending),
    },
  );
});
afterEach(() => {
  jest.useRealTimers();
});

const minutes = (count: number) => jest.advanceTimersByTime(count * 60_000);
const GOING_AWAY = { code: 1001, reason: 'Going away' };

test('a connection on which nothing is sent is closed after ten minutes', () => {
  jest.advanceTimersByTime(599_999);
  expect(endings).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(endings).toEqual([GOING_AWAY]);
});

test.each([
  ['a message of the client', () => socket.emit('message', Buffer.from('{}'), false)],
  ['a push', () => connection.send('{}')],
])('%s begins the ten minutes again', (_what, happen) => {
  minutes(9);
  happen();
  minutes(9);
  expect(endings).toEqual([]);
  minutes(1);
  expect(endings).toEqual([GOING_AWAY]);
});

test('pings of the protocol do not, since AWS does not say that they do', () => {
  minutes(9);
  socket.emit('ping', Buffer.alloc(0));
  minutes(1);
  expect(endings).toEqual([GOING_AWAY]);
});

test('a connection is closed after two hours, whatever is sent', () => {
  for (let minute = 0; minute < 119; minute += 1) {
    connection.send('{}');
    minutes(1);
  }
  expect(endings).toEqual([]);
  minutes(1);
  expect(endings).toEqual([GOING_AWAY]);
});

test('a text goes in frames of at most 32 KB, an empty one in one frame', () => {
  connection.send('x'.repeat(32_768));
  connection.send('x'.repeat(65_537));
  connection.send('');
  expect(socket.sent.map(({ text, fin }) => [text.length, fin])).toEqual([
    [32_768, true],
    [32_768, false],
    [32_768, false],
    [1, true],
    [0, true],
  ]);
});

test('nothing is sent to a client that does not read', () => {
  socket.bufferedAmount = 1_048_577;
  expect(connection.send('{}')).toBe(false);
  expect(socket.sent).toEqual([]);
});
