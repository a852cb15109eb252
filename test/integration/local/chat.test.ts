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

/** Sends a message of Alice that is accepted, and returns its id. */
function idOf(
  chat: Chat,
  message: { readonly text: string; readonly key: string; readonly threadOf?: string },
) {
  const outcome = chat.send('picnic', { senderId: 'alice', ...message });
  expect(outcome).toEqual({ kind: 'accepted', messageId: expect.stringMatching(/^\d{19,20}$/) });
  return outcome.kind === 'accepted' ? outcome.messageId : '';
}

const kinds = (entries: readonly ChatEntry[]) => entries.map(({ kind }) => kind);

test('a message of a member is accepted at once, and recorded until Tidemark acknowledges it', async () => {
  const entries = [member('alice')];
  statuses = [503, 500];
  const messageId = idOf(chatWith(entries), { text: 'Hello', key: 'k1' });
  expect(kinds(entries)).toEqual(['joined', 'sent']);
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  expect(calls).toHaveLength(1);
  expect(calls[0]).toContain(
    `POST /v1/groups/picnic/messages {"messageId":"${messageId}","senderId":"alice"`,
  );
});

test.each(['picnic', 'picnic-2'])('a message of somebody else is refused: %s', (groupId) => {
  const entries = [member('alice')];
  expect(chatWith(entries).send(groupId, { senderId: 'bob', text: 'Hello', key: 'k1' })).toEqual({
    kind: 'not-a-member',
  });
  expect(kinds(entries)).toEqual(['joined']);
});

test.each([
  ['Can you come, @Bob?', '["bob"]'],
  ['@carol and @bob: @carol brings the cake', '["carol","bob"]'],
  ['@bob, @all', '"all"'],
])('whom a text mentions is recorded: %s', async (text, mentions) => {
  const entries = [member('alice')];
  idOf(chatWith(entries), { text, key: 'k1' });
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  expect(calls).toEqual([expect.stringContaining(`,"mentions":${mentions}}`)]);
});

test.each(['me@bob.example', '@bobby', 'bob', '@everybody'])('no mention: %s', async (text) => {
  const entries = [member('alice')];
  idOf(chatWith(entries), { text, key: 'k1' });
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  expect(calls).toEqual([expect.not.stringContaining('mentions')]);
});

test('a thread is a group with this parent and these members, before its first message is recorded', async () => {
  const entries = [member('alice'), member('bob')];
  const chat = chatWith(entries);
  const messageId = idOf(chat, { text: 'Who comes?', key: 'k1' });
  await eventually(() => expect(entries.at(-1)?.kind).toBe('recorded'));
  calls = [];
  statuses = [503];
  idOf(chat, { text: 'I do', key: 'k2', threadOf: messageId });
  await eventually(() => expect(kinds(entries).filter((kind) => kind === 'recorded')).toHaveLength(2));
  idOf(chat, { text: '@bob too?', key: 'k3', threadOf: messageId });
  await eventually(() => expect(kinds(entries).filter((kind) => kind === 'recorded')).toHaveLength(3));
  const thread = `/v1/groups/picnic.${messageId}`;
  expect(calls).toEqual([
    `PUT ${thread} {"parentId":"picnic"}`,
    `POST ${thread}/members {"userIds":["alice","bob"]}`,
    expect.stringMatching(new RegExp(`^POST ${thread}/messages {"messageId":"\\d+","senderId":"alice"`)),
    expect.stringMatching(new RegExp(`^POST ${thread}/messages .*"mentions":\\["bob"\\]}$`)),
  ]);

  // The next run knows the thread too.
  calls = [];
  await chatWith(entries).join('picnic', 'carol');
  expect(calls).toEqual([`PUT ${thread}/members/carol`, 'PUT /v1/groups/picnic/members/carol']);
});

test('only a message of the chat can be answered in a thread', async () => {
  const entries = [member('alice')];
  const chat = chatWith(entries);
  const answer = (threadOf: string) =>
    chat.send('picnic', { senderId: 'alice', text: 'Yes', key: `k-${threadOf}`, threadOf });
  expect(answer('41')).toEqual({ kind: 'no-thread' });
  const messageId = idOf(chat, { text: 'Who comes?', key: 'k1' });
  await eventually(() => expect(entries.at(-1)?.kind).toBe('recorded'));
  const inThread = idOf(chat, { text: 'I do', key: 'k2', threadOf: messageId });
  await eventually(() => expect(kinds(entries).filter((kind) => kind === 'recorded')).toHaveLength(2));
  expect(answer(inThread)).toEqual({ kind: 'no-thread' });
  expect(calls.filter((call) => call.startsWith('PUT'))).toEqual([
    `PUT /v1/groups/picnic.${messageId} {"parentId":"picnic"}`,
  ]);
});

test('a message that is sent twice under one key is one message', async () => {
  const entries = [member('alice')];
  const chat = chatWith(entries);
  const sent = { text: 'Hello', key: 'k1' };
  expect(idOf(chat, sent)).toBe(idOf(chat, sent));
  await eventually(() => expect(kinds(entries)).toEqual(['joined', 'sent', 'recorded']));
  // The next run knows the key too.
  idOf(chatWith(entries), sent);
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
  expect(idOf(chatWith(entries), { text: 'Hello', key: 'k2' })).toBe('18000000000000000001');
});
