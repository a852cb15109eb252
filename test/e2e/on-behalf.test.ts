import { describe, expect, test } from '@jest/globals';
import { freshPrefix } from '../support/engines.ts';
import { type Json, type RunningStack, withStack } from '../support/running-stack.ts';

const stack = withStack();

const asService: RunningStack['asService'] = (...call) => stack.asService(...call);
const asUser: RunningStack['asUser'] = (...call) => stack.asUser(...call);

/** Alice has sent 1 to 5, and Bob is a member beside her. */
async function aChat(): Promise<string> {
  const groupId = freshPrefix();
  await asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
  for (const messageId of ['1', '2', '3', '4', '5']) {
    await asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId: 'alice' });
  }
  return groupId;
}

/** What a user may ask, in an order that makes every answer say something. */
const QUESTIONS: readonly (readonly [string, string, Json?])[] = [
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
  test('asks and marks for a user as the user would, with the same answers', async () => {
    const [own, onBehalf] = [await aChat(), await aChat()];
    const seen = (groupId: string, { status, text }: { status: number; text: string }) => {
      const times = /\d{4}-\d{2}-\d{2}T[\d:.]+Z/g;
      const told = text.replaceAll(groupId, '{g}').replaceAll(times, 'A TIME');
      return [status, told.replace(/"requestId":"[^"]+"/, '"requestId":"ANY"')];
    };
    const there = (text: string, groupId: string) => text.replaceAll('{g}', groupId);
    for (const [method, path, body] of QUESTIONS) {
      const bodyOf = (groupId: string) => body && (JSON.parse(there(JSON.stringify(body), groupId)) as Json);
      const asked = await asUser('bob', method, `/v1${there(path, own)}`, bodyOf(own));
      const twin = `/v1/users/bob${there(path, onBehalf)}`;
      const answered = await asService(method, twin, bodyOf(onBehalf));
      // Each inbox holds both groups.
      if (!path.startsWith('/inbox')) expect(seen(onBehalf, answered)).toEqual(seen(own, asked));
      else expect(answered.text).toBe(asked.text);
      expect([200, 409]).toContain(answered.status);
    }
  });

  test('is told of the user that there is no such group, where a user is told of "you"', async () => {
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

  test('cannot be played by a user, nor a user by a back end', async () => {
    const groupId = await aChat();
    for (const [method, path, body] of QUESTIONS) {
      const filled = path.replaceAll('{g}', groupId);
      expect((await asUser('bob', method, `/v1/users/bob${filled}`, body)).status).toBe(403);
      expect((await asService(method, `/v1${filled}`, body)).status).toBe(403);
    }
  });
});
