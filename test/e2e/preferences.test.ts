import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { aProblem, expectAnswer, expectNotFound, PROBLEM_TYPE } from '../support/expected-answers.ts';
import { type Json, withStack } from '../support/running-stack.ts';

const stack = withStack();

const DEFAULTS = {
  notify: 'all',
  mutedUntil: null,
  hideReceipts: false,
  archive: 'no',
  archived: false,
  revision: 0,
};

/** A group of Alice, who has sent 1, and Bob. */
async function aChat() {
  const groupId = freshPrefix('g');
  await stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
  const send = (messageId: string) =>
    stack.asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId: 'alice' });
  await send('1');
  const path = `/v1/groups/${groupId}/preferences`;
  const read = (userId = 'bob') => stack.asUser(userId, 'GET', path);
  const patch = (body: Json, userId = 'bob') => stack.asUser(userId, 'PATCH', path, body);
  const expectPreferences = async (changed: object) => {
    expectAnswer(await read(), 200, { groupId, ...DEFAULTS, ...changed });
  };
  return { groupId, path, send, read, patch, expectPreferences };
}

describe('preferences', () => {
  test('are the defaults at first, and keep what a patch does not name', async () => {
    const { groupId, read, patch, expectPreferences } = await aChat();
    await expectPreferences({});
    expectAnswer(await patch({ notify: 'mentions' }), 200, {
      groupId,
      ...DEFAULTS,
      notify: 'mentions',
      revision: 1,
    });
    const changed = {
      notify: 'mentions',
      mutedUntil: '2999-12-31T22:30:00.000Z',
      hideReceipts: true,
      archive: 'always',
      archived: true,
      revision: 2,
    };
    const answer = await patch({
      mutedUntil: '2999-12-31T23:30:00+01:00',
      hideReceipts: true,
      archive: 'always',
    });
    expectAnswer(answer, 200, { groupId, ...changed });
    await expectPreferences(changed);
    expectAnswer(await read('alice'), 200, { groupId, ...DEFAULTS });
    await patch({ mutedUntil: null });
    await expectPreferences({ ...changed, mutedUntil: null, revision: 3 });
  });

  test('of a group archived until something new comes', async () => {
    const { send, patch, expectPreferences } = await aChat();
    await patch({ archive: 'untilNew' });
    await expectPreferences({ archive: 'untilNew', archived: true, revision: 1 });
    await send('2');
    await expectPreferences({ archive: 'untilNew', archived: false, revision: 1 });
  });

  test.each(['1970-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])('may be muted until %s', async (time) => {
    const { patch, expectPreferences } = await aChat();
    expect(await patch({ mutedUntil: time })).toMatchObject({ status: 200 });
    const mutedUntil = time.replace(':00Z', ':00.000Z');
    await expectPreferences({ mutedUntil, revision: 1 });
  });

  test('can be read and changed on behalf of a user', async () => {
    const { groupId, path, expectPreferences } = await aChat();
    const onBehalf = `/v1/users/bob${path.slice('/v1'.length)}`;
    const changed = { groupId, ...DEFAULTS, notify: 'none', revision: 1 };
    expectAnswer(await stack.asService('PATCH', onBehalf, { notify: 'none' }), 200, changed);
    expectAnswer(await stack.asService('GET', onBehalf), 200, changed);
    await expectPreferences(changed);
  });

  test('are not found for non-members and former members', async () => {
    const { groupId, read, patch } = await aChat();
    const expectNone = async (userId: string) => {
      expectNotFound(await read(userId));
      expectNotFound(await patch({ notify: 'none' }, userId));
      expectNotFound(await patch({ hideReceipts: false }, userId));
    };
    await expectNone('mallory');
    await stack.asService('DELETE', `/v1/groups/${groupId}/members/bob`);
    await expectNone('bob');
  });

  test('publish an event for each change, and none where nothing changes', async () => {
    const { groupId, patch } = await aChat();
    const events = async () =>
      (await stack.events()).filter(
        (event) => event['detail-type'] === 'PreferencesChanged' && event.detail.groupId === groupId,
      );
    await patch({ notify: 'all', hideReceipts: false });
    await patch({ archive: 'untilNew', mutedUntil: '2999-01-01T00:00:00Z' });
    await eventually(async () => {
      const details = (await events()).map(({ detail }) => detail);
      expect(details).toEqual([
        {
          version: '1',
          groupId,
          userId: 'bob',
          membership: expect.any(Number),
          notify: 'all',
          mutedUntil: '2999-01-01T00:00:00.000Z',
          hideReceipts: false,
          archive: 'untilNew',
          revision: 1,
        },
      ]);
    });
    await patch({ archive: 'untilNew' });
    await patch({ notify: 'none' });
    await eventually(async () =>
      expect((await events()).map(({ detail }) => detail.revision)).toEqual([1, 2]),
    );
  });
});

describe('a patch is refused', () => {
  test.each([
    ['notify', { notify: 'some' }],
    ['notify', { notify: null }],
    ['mutedUntil', { mutedUntil: 1_900_000_000_000 }],
    ['mutedUntil', { mutedUntil: '' }],
    ['mutedUntil', { mutedUntil: 'forever' }],
    ['mutedUntil', { mutedUntil: '2026-02-30T00:00:00Z' }],
    ['mutedUntil', { mutedUntil: '1969-12-31T23:59:59Z' }],
    ['mutedUntil', { mutedUntil: '9999-12-31T23:59:59-01:00' }],
    ['mutedUntil', { mutedUntil: '10000-01-01T00:00:00Z' }],
    ['hideReceipts', { hideReceipts: 'true' }],
    ['hideReceipts', { hideReceipts: null }],
    ['archive', { archive: true }],
    ['archive', { archive: 'untilnew' }],
    ['archivedAt', { archive: 'untilNew', archivedAt: '1' }],
    ['revision', { notify: 'none', revision: 1 }],
    ['archived', { notify: 'none', archived: true }],
  ])('because of %s: %j', async (path, body) => {
    const { patch, expectPreferences } = await aChat();
    const answer = await patch(body);
    expect(answer.contentType).toMatch(PROBLEM_TYPE);
    expect(answer.body).toEqual({
      ...aProblem(400, 'invalid_request'),
      errors: [{ path, message: expect.stringMatching(/\w+ \w+/) }],
    });
    await expectPreferences({});
  });

  test('if it has no field', async () => {
    const { patch } = await aChat();
    expect((await patch({})).body).toEqual({
      ...aProblem(400, 'invalid_request'),
      errors: [{ path: '', message: 'must have at least one of notify, mutedUntil, hideReceipts, archive' }],
    });
  });
});
