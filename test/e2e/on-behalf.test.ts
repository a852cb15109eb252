import { describe, expect, test } from '@jest/globals';
import { freshPrefix } from '../support/engines.ts';
import { type Json, type RunningStack, withStack } from '../support/running-stack.ts';

const stack = withStack();

const asService: RunningStack['asService'] = (...call) => stack.asService(...call);
const asUser: RunningStack['asUser'] = (...call) => stack.asUser(...call);

/** A group of Alice and Bob, in which Alice has sent 1 to 5. */
async function aChat(): Promise<string> {
  const groupId = freshPrefix();
  await asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
  for (const messageId of ['1', '2', '3', '4', '5']) {
    await asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId: 'alice' });
  }
  return groupId;
}

/** The calls of a user, in an order in which no answer is empty. */
const CALLS: readonly (readonly [string, string, Json?])[] = [
  ['PUT', '/groups/{g}/watermark', { messageId: '3' }],
  ['PUT', '/groups/{g}/watermark', { messageId: '4', private: true, ifRevision: 0 }],
  ['POST', '/groups/{g}/unread', { messageId: '2' }],
  ['PUT', '/groups/{g}/watermark', { messageId: '3', ifRevision: 0 }],
  ['GET', '/groups/{g}/watermark'],
  ['PUT', '/groups/{g}/delivered', { messageId: '5' }],
  ['POST', '/watermarks', { marks: [{ groupId: '{g}', messageId: '4' }] }],
  ['POST', '/groups/{g}/messages/status', { messageIds: ['4', '5'] }],
  ['GET', '/inbox?unreadOnly=true'],
  ['GET', '/groups/{g}/messages/4/receipts?state=read'],
  ['POST', '/groups/{g}/receipts', { messageIds: ['4', '6'] }],
];

describe('a back end', () => {
  test('gets the same answers as the user for every user route', async () => {
    const [own, onBehalf] = [await aChat(), await aChat()];
    const seen = (groupId: string, { status, text }: { status: number; text: string }) => {
      const times = /\d{4}-\d{2}-\d{2}T[\d:.]+Z/g;
      const shown = text.replaceAll(groupId, '{g}').replaceAll(times, 'A TIME');
      return [status, shown.replace(/"requestId":"[^"]+"/, '"requestId":"ANY"')];
    };
    const there = (text: string, groupId: string) => text.replaceAll('{g}', groupId);
    for (const [method, path, body] of CALLS) {
      const bodyOf = (groupId: string) => body && (JSON.parse(there(JSON.stringify(body), groupId)) as Json);
      const ownAnswer = await asUser('bob', method, `/v1${there(path, own)}`, bodyOf(own));
      const twin = `/v1/users/bob${there(path, onBehalf)}`;
      const answered = await asService(method, twin, bodyOf(onBehalf));
      // Each inbox has both groups.
      if (!path.startsWith('/inbox')) expect(seen(onBehalf, answered)).toEqual(seen(own, ownAnswer));
      else expect(answered.text).toBe(ownAnswer.text);
      expect([200, 409]).toContain(answered.status);
    }
  });

  test('gets a 404 whose detail names the user instead of "you"', async () => {
    const groupId = await aChat();
    const detailOf = ({ body }: { body: Json }) => (body as { detail: string }).detail;
    const path = `/groups/${groupId}/watermark`;
    expect(detailOf(await asUser('eve', 'GET', `/v1${path}`))).toBe(
      'There is no such group, or you are not a member of it.',
    );
    const answer = await asService('GET', `/v1/users/eve${path}`);
    expect(answer.status).toBe(404);
    expect(detailOf(answer)).toBe('There is no such group, or the user is not a member of it.');
  });

  test('cannot use the routes of users, nor a user those of back ends', async () => {
    const groupId = await aChat();
    for (const [method, path, body] of CALLS) {
      const filled = path.replaceAll('{g}', groupId);
      expect((await asUser('bob', method, `/v1/users/bob${filled}`, body)).status).toBe(403);
      expect((await asService(method, `/v1${filled}`, body)).status).toBe(403);
    }
  });
});
