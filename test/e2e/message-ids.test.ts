import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { messageIdFromTime } from '../../client/src/ids.ts';
import { freshPrefix } from '../support/engines.ts';
import { exactly } from '../support/expected-answers.ts';
import { codeOf, type PageCode } from '../support/page-code.ts';
import { type Json, withStack } from '../support/running-stack.ts';

// What docs/ids.md says about a collision, with its code, against Tidemark.

interface Assigning {
  assignMessageId(store: Store, groupId: string, ownId: string, derivedId: string): Promise<string>;
}
interface Store {
  claim(groupId: string, messageId: string, ownId: string): Promise<string>;
}

/** Two texts with the same hash, at the same time: so the same id. */
const [ONE, OTHER] = ['message-927', 'message-2422'];
const SENT_MS = 1_785_585_600_000;
const DERIVED = '3518604981045502420';
const NEXT = '3518604981045502421';

const stack = withStack();
let page: PageCode;
let service: string;
beforeAll(async () => {
  page = await codeOf('ids.md');
  service = await stack.serviceToken();
});
afterAll(() => page.remove());

test('the two texts collide', () => {
  expect(messageIdFromTime(SENT_MS, ONE)).toBe(DERIVED);
  expect(messageIdFromTime(SENT_MS, OTHER)).toBe(DERIVED);
});

const asService = (method: string, path: string, body?: Json) => stack.call(service, method, path, body);
async function groupOf(...userIds: readonly string[]): Promise<string> {
  const groupId = freshPrefix('g');
  await asService('POST', `/v1/groups/${groupId}/members`, { userIds: [...userIds] });
  return groupId;
}
const record = (groupId: string, messageId: string, senderId: string) =>
  asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId });
const view = (groupId: string, userId: string) =>
  asService('GET', `/v1/users/${userId}/groups/${groupId}/watermark`);

test('a collision with another sender is a conflict, and with the same sender it is one message', async () => {
  const groupId = await groupOf('ann', 'bob', 'cid');
  expect(await record(groupId, DERIVED, 'ann')).toMatchObject({ status: 201 });
  expect(await record(groupId, DERIVED, 'bob')).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect(await record(groupId, DERIVED, 'ann')).toMatchObject({ status: 200 });
  expect((await view(groupId, 'cid')).body).toMatchObject({ head: DERIVED, unread: exactly(1, DERIVED) });
  expect(await record(groupId, NEXT, 'bob')).toMatchObject({ status: 201 });
  expect((await view(groupId, 'cid')).body).toMatchObject({ head: NEXT, unread: exactly(2, DERIVED) });
});

test('with assigned ids both messages of one sender are counted, and each id leads to its message', async () => {
  const { assignMessageId } = await page.load<Assigning>('assign.mjs');
  const groupId = await groupOf('ann', 'cid');
  const ownIds = new Map<string, string>();
  const store: Store = {
    claim: async (group, messageId, ownId) => {
      const key = `${group} ${messageId}`;
      if (!ownIds.has(key)) ownIds.set(key, ownId);
      return ownIds.get(key) ?? '';
    },
  };
  const send = async (ownId: string) => {
    const messageId = await assignMessageId(store, groupId, ownId, messageIdFromTime(SENT_MS, ownId));
    return { messageId, status: (await record(groupId, messageId, 'ann')).status };
  };
  expect(await send(ONE)).toEqual({ messageId: DERIVED, status: 201 });
  expect(await send(OTHER)).toEqual({ messageId: NEXT, status: 201 });
  // As after a failure: the same id, and the message is known.
  expect(await send(OTHER)).toEqual({ messageId: NEXT, status: 200 });
  expect((await view(groupId, 'cid')).body).toMatchObject({ head: NEXT, unread: exactly(2, DERIVED) });

  await asService('PUT', `/v1/users/cid/groups/${groupId}/watermark`, { messageId: NEXT });
  // The own view is then just below a message, where no message is.
  const moved = await asService('POST', `/v1/users/cid/groups/${groupId}/unread`, { messageId: DERIVED });
  expect(moved).toMatchObject({ status: 200, body: { messageId: '3518604981045502419' } });
  expect([...ownIds]).toEqual([
    [`${groupId} ${DERIVED}`, ONE],
    [`${groupId} ${NEXT}`, OTHER],
  ]);
});
