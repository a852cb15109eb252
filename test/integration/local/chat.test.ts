import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { silentLog } from '../../../local/command/log.ts';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';
import { Chat, type ChatEntry } from '../../../local/page/chat.ts';
import { eventually } from '../../support/engines.ts';

/** Tidemark's calls in order, each as `PUT /path body`. */
let calls: string[];
/** The statuses of the next answers. After them every call is answered with 200. */
let statuses: number[];
let tidemark: Listening;
let chats: Chat[];

beforeEach(async () => {
  calls = [];
  statuses = [];
  chats = [];
  const answer = async (request: IncomingMessage) => {
    const body = await text(request);
    const status = statuses.shift() ?? 200;
    if (status === 200) calls.push(`${request.method} ${request.url}${body && ` ${body}`}`);
    return status;
  };
  tidemark = await listenOnLoopback(
    createServer((request, response) => {
      void answer(request).then((status) => response.writeHead(status).end('{"joinedAfter":"7"}'));
    }),
  );
});

afterEach(async () => {
  for (const chat of chats) chat.close();
  await tidemark.close();
});

function chatWith(entries: ChatEntry[]): Chat {
  const journal = { entries, append: (entry: ChatEntry) => void entries.push(entry) };
  const chat = new Chat({
    apiUrl: tidemark.url,
    issueToken: async () => 'a token',
    // What is appended while the chat runs is restored by the next one.
    journal: { ...journal, entries: [...entries] },
    log: silentLog,
  });
  chats.push(chat);
  return chat;
}

const member = (userId: 'alice' | 'bob'): ChatEntry => ({
  kind: 'joined',
  groupId: 'picnic',
  userId,
  joinedAfter: null,
});

const kinds = (entries: readonly ChatEntry[]) => entries.map(({ kind }) => kind);

test('a message of a member is accepted at once, and recorded until Tidemark acknowledges it', async () => {
  const entries = [member('alice')];
  statuses = [503, 500];
  const messageId = chatWith(entries).send('picnic', { senderId: 'alice', text: 'Hello', key: 'k1' });
  expect(messageId).toMatch(/^\d{19}$/);
  expect(kinds(entries)).toEqual(['joined', 'sent']);
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  expect(calls).toHaveLength(1);
  expect(calls[0]).toContain(
    `POST /v1/groups/picnic/messages {"messageId":"${messageId}","senderId":"alice"`,
  );
});

test('a message of somebody else is refused', () => {
  const entries = [member('alice')];
  expect(chatWith(entries).send('picnic', { senderId: 'bob', text: 'Hello', key: 'k1' })).toBeNull();
  expect(kinds(entries)).toEqual(['joined']);
});

test('a message that is sent twice under one key is one message', async () => {
  const entries = [member('alice')];
  const chat = chatWith(entries);
  const sent = { senderId: 'alice', text: 'Hello', key: 'k1' } as const;
  expect(chat.send('picnic', sent)).toBe(chat.send('picnic', sent));
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  // The next run knows the key too.
  expect(chatWith(entries).send('picnic', sent)).toMatch(/^\d{19}$/);
  expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']);
});

test('what a killed run has accepted, the next one records', async () => {
  const entries: ChatEntry[] = [
    member('alice'),
    {
      kind: 'sent',
      groupId: 'picnic',
      messageId: '41',
      senderId: 'alice',
      text: 'Hello',
      sentAt: '2026-01-02T03:04:05.678Z',
      key: 'k1',
    },
  ];
  chatWith(entries).resume();
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  expect(calls).toEqual([
    'POST /v1/groups/picnic/messages {"messageId":"41","senderId":"alice","sentAt":"2026-01-02T03:04:05.678Z"}',
  ]);
});

test('who joins after a message joins after it with Tidemark too, also if the message takes several calls', async () => {
  const entries = [member('alice')];
  statuses = [503];
  const chat = chatWith(entries);
  chat.send('picnic', { senderId: 'alice', text: 'Hello', key: 'k1' });
  await chat.join('picnic', 'carol');
  expect(calls.map((call) => call.split(' ', 2).join(' '))).toEqual([
    'POST /v1/groups/picnic/messages',
    'PUT /v1/groups/picnic/members/carol',
  ]);
  expect(entries.at(-1)).toEqual({ kind: 'joined', groupId: 'picnic', userId: 'carol', joinedAfter: '7' });
});

test('ids grow over a clock that goes back', () => {
  const entries: ChatEntry[] = [
    member('alice'),
    {
      kind: 'sent',
      groupId: 'picnic',
      // Of a later year than that of the clock.
      messageId: '18000000000000000000',
      senderId: 'alice',
      text: 'Hello',
      sentAt: '2099-01-01T00:00:00.000Z',
      key: 'k1',
    },
  ];
  expect(chatWith(entries).send('picnic', { senderId: 'alice', text: 'Hello', key: 'k2' })).toBe(
    '18000000000000000001',
  );
});
