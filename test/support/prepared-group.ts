import { afterEach, beforeAll, expect } from '@jest/globals';
import { freshPrefix } from './engines.ts';
import { type Answer, type Json, type RunningStack, withStack } from './running-stack.ts';

/**
 * Alice has sent the messages 1 to 3. Bob has read up to 2, which he had marked unread once. To Dave 1 was
 * delivered. Erin has read up to 1, and up to 3 in private. Frank has read everything and left. Carol has nothing
 * to do with it. Bob is in another group, too, in which nothing was ever said.
 */
export interface PreparedGroup {
  readonly groupId: string;
  readonly stack: RunningStack;
}

/** A stack with a group for the tests of one file, none of which may change what anyone can see of it. */
export function withPreparedGroup(): PreparedGroup {
  const groupId = freshPrefix('g');
  const stack = withStack();
  let before: unknown;
  beforeAll(async () => {
    await prepare(stack, groupId);
    before = await look(stack, groupId);
    expectPrepared(before);
  }, 180_000);

  afterEach(async () => {
    const was = before;
    // What one test has changed is that one's fault alone.
    before = await look(stack, groupId);
    expect(before).toEqual(was);
  });

  return { groupId, stack };
}

async function prepare(stack: RunningStack, groupId: string): Promise<void> {
  const call = async (token: Promise<string>, method: string, path: string, body?: Json, id = groupId) => {
    const { status, text }: Answer = await stack.call(await token, method, `/v1/groups/${id}${path}`, body);
    if (status < 200 || status > 299) throw new Error(`the group is not prepared: ${status} ${text}`);
  };
  const { serviceToken, userToken } = stack;

  const userIds = ['alice', 'bob', 'dave', 'erin', 'frank'];
  await call(serviceToken(), 'POST', '/members', { userIds });
  for (const messageId of ['1', '2', '3']) {
    await call(serviceToken(), 'POST', '/messages', { messageId, senderId: 'alice' });
  }
  await call(userToken('bob'), 'PUT', '/watermark', { messageId: '2' });
  await call(userToken('bob'), 'POST', '/unread', { messageId: '2' });
  await call(userToken('bob'), 'PUT', '/watermark', { messageId: '2' });
  await call(userToken('dave'), 'PUT', '/delivered', { messageId: '1' });
  await call(userToken('erin'), 'PUT', '/watermark', { messageId: '1' });
  await call(userToken('erin'), 'PUT', '/watermark', { messageId: '3', private: true });
  await call(userToken('frank'), 'PUT', '/watermark', { messageId: '3' });
  await call(serviceToken(), 'DELETE', '/members/frank');
  await call(serviceToken(), 'POST', '/members', { userIds: ['bob'] }, `${groupId}-quiet`);
}

/** What anyone can see of the group: every register of every member, in each list and count that has it. */
async function look({ call, serviceToken, userToken }: RunningStack, groupId: string) {
  const group = `/v1/groups/${groupId}`;
  const ask = async (token: Promise<string>, method: string, path: string, body?: Json) =>
    (await call(await token, method, path, body)).body;
  const askAs = (userIds: readonly string[], path: string) =>
    Promise.all(userIds.map((userId) => ask(userToken(userId), 'GET', path)));
  const lists = ['1/receipts?state=read', '1/receipts?state=delivered', '3/receipts?state=unread'];

  const [watermarks, inboxes, members, counts, receipts] = await Promise.all([
    askAs(['alice', 'bob', 'dave', 'erin'], `${group}/watermark`),
    askAs(['bob', 'carol', 'frank'], '/v1/inbox'),
    ask(serviceToken(), 'GET', `${group}/members`),
    ask(userToken('alice'), 'POST', `${group}/receipts`, { messageIds: ['1', '2', '3', '4'] }),
    Promise.all(lists.map((list) => ask(userToken('alice'), 'GET', `${group}/messages/${list}`))),
  ]);
  return { watermarks, inboxes, members, counts, receipts };
}

function expectPrepared(seen: unknown): void {
  const unread = (count: number, firstId: string | null) => ({ count, mentions: 0, firstId, exact: true });
  const A_TIME = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T/);
  const inAnyOrder = (...entries: { userId: string; at: unknown }[]) => {
    const members = expect.arrayContaining(entries);
    return expect.objectContaining({ members, cursor: null });
  };
  expect(seen).toMatchObject({
    watermarks: [
      { messageId: '3', readAt: A_TIME, revision: 0, head: '3', unread: unread(0, null) },
      { messageId: '2', readAt: A_TIME, revision: 1, head: '3', unread: unread(1, '3') },
      { messageId: null, readAt: null, revision: 0, head: '3', unread: unread(3, '1') },
      { messageId: '3', readAt: A_TIME, revision: 0, head: '3', unread: unread(0, null) },
    ],
    inboxes: [
      {
        groups: [
          { messageId: '2', head: '3', revision: 1, unread: unread(1, '3') },
          { messageId: null, head: null, revision: 0, unread: unread(0, null) },
        ],
        cursor: null,
      },
      { groups: [], cursor: null },
      { groups: [], cursor: null },
    ],
    members: {
      members: [
        { userId: 'alice', messageId: '3' },
        { userId: 'bob', messageId: '2' },
        { userId: 'dave', messageId: null },
        { userId: 'erin', messageId: '1' },
      ],
      cursor: null,
    },
    counts: {
      receipts: [
        { messageId: '1', known: true, audience: 3, readCount: 2, deliveredCount: 3, readByAll: false },
        { messageId: '2', known: true, audience: 3, readCount: 1, deliveredCount: 1, readByAll: false },
        { messageId: '3', known: true, audience: 3, readCount: 0, deliveredCount: 0, readByAll: false },
        { messageId: '4', known: false },
      ],
    },
    receipts: [
      inAnyOrder({ userId: 'bob', at: A_TIME }, { userId: 'erin', at: A_TIME }),
      inAnyOrder(
        { userId: 'bob', at: A_TIME },
        { userId: 'dave', at: A_TIME },
        { userId: 'erin', at: A_TIME },
      ),
      inAnyOrder({ userId: 'bob', at: A_TIME }, { userId: 'dave', at: null }, { userId: 'erin', at: A_TIME }),
    ],
  });
}
