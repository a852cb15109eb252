import { describe, expect, test } from '@jest/globals';
import { freshPrefix } from '../support/engines.ts';
import { expectAnswer, expectProblem } from '../support/expected-answers.ts';
import { withReceiptsStack } from '../support/receipts-group.ts';
import type { Json } from '../support/running-stack.ts';

const stack = withReceiptsStack();

const get = (groupId: string) => stack.asService('GET', `/v1/groups/${groupId}`);
const put = (groupId: string, body: Json) => stack.asService('PUT', `/v1/groups/${groupId}`, body);

const DEFAULTS = { head: null, parentId: null, receipts: 'members' };

describe('the settings of a group', () => {
  test('are the defaults until something is set, whether or not anything was reported about the group', async () => {
    const groupId = freshPrefix();
    expectAnswer(await get(groupId), 200, { groupId, ...DEFAULTS });
    const group = await stack.groupOf('alice', 'bob');
    expectAnswer(await get(group.groupId), 200, { groupId: group.groupId, ...DEFAULTS });
    await group.record('alice', '7');
    expectAnswer(await get(group.groupId), 200, { groupId: group.groupId, ...DEFAULTS, head: '7' });
  });

  test('are returned as they are then, and each call changes only what it names', async () => {
    const groupId = freshPrefix();
    const parentId = freshPrefix();
    const settings = { groupId, head: null, parentId, receipts: 'members' };
    expectAnswer(await put(groupId, { parentId }), 200, settings);
    expectAnswer(await put(groupId, { parentId }), 200, settings);
    expectAnswer(await put(groupId, { receipts: 'off' }), 200, { ...settings, receipts: 'off' });
    expectAnswer(await put(groupId, { parentId, receipts: 'sender' }), 200, {
      ...settings,
      receipts: 'sender',
    });
    const group = await stack.groupNamed(groupId, 'alice', 'bob');
    await group.record('alice', '9', '8');
    await group.remove('9');
    await stack.withAndWithoutCache(async () => {
      expectAnswer(await get(groupId), 200, { groupId, head: '9', parentId, receipts: 'sender' });
      expect((await group.readView('bob')).body).toMatchObject({
        head: '9',
        unread: { count: 1, mentions: 0, firstId: '8', exact: true },
      });
    });
  });

  test('have one parent for good: another one or none is a conflict, and nothing changes', async () => {
    const groupId = freshPrefix();
    const parentId = freshPrefix();
    expectAnswer(await put(groupId, { parentId: null, receipts: 'sender' }), 200, {
      ...{ groupId, head: null, parentId: null, receipts: 'sender' },
    });
    expect((await put(groupId, { parentId })).status).toBe(200);
    for (const other of [freshPrefix(), null]) {
      for (const body of [{ parentId: other }, { parentId: other, receipts: 'off' }]) {
        const answer = await put(groupId, body);
        expectProblem(answer, 409, 'conflict');
        expect(answer.body).toMatchObject({
          detail: 'The parent of a group is set once, and this group has another one.',
        });
      }
    }
    expectAnswer(await get(groupId), 200, { groupId, head: null, parentId, receipts: 'sender' });
  });

  const groupId = freshPrefix();
  test.each<[string, Json, string]>([
    ['nothing', {}, ''],
    ['the group itself as its parent', { parentId: groupId, receipts: 'off' }, 'parentId'],
    ['a parent that is no id', { parentId: 'a b' }, 'parentId'],
    ['a parent that is no text', { parentId: 1 }, 'parentId'],
    ['an unknown policy', { receipts: 'some' }, 'receipts'],
    ['no policy', { receipts: null }, 'receipts'],
    ['an unknown field', { receipts: 'off', head: '7' }, 'head'],
  ])('with %s are refused, and nothing changes', async (_name, body, path) => {
    const answer = await put(groupId, body);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body).toMatchObject({ errors: [{ path }] });
    expectAnswer(await get(groupId), 200, { groupId, ...DEFAULTS });
  });

  test('are for back ends alone', async () => {
    const group = await stack.groupOf('alice');
    const path = `/v1/groups/${group.groupId}`;
    expectProblem(await stack.asUser('alice', 'GET', path), 403, 'forbidden');
    expectProblem(await stack.asUser('alice', 'PUT', path, { receipts: 'off' }), 403, 'forbidden');
    expectAnswer(await get(group.groupId), 200, { groupId: group.groupId, ...DEFAULTS });
  });

  test('make the group a thread, and change nothing of the parent or its members', async () => {
    const [parent, thread] = [await stack.groupOf('alice', 'bob'), await stack.groupOf('bob')];
    expect((await put(thread.groupId, { parentId: parent.groupId })).status).toBe(200);
    await thread.record('carol', '5');
    expectAnswer(await get(parent.groupId), 200, { groupId: parent.groupId, ...DEFAULTS });
    expect((await thread.readView('alice')).status).toBe(404);
    expect((await thread.readView('bob')).body).toMatchObject({
      unread: { count: 1, mentions: 0, firstId: '5', exact: true },
    });
    expect((await parent.readView('bob')).body).toMatchObject({ head: null, unread: { count: 0 } });
  });
});
