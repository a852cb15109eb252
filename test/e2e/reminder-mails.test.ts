import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { type MailService, startMailService } from '../support/mail-service.ts';
import { withStack } from '../support/running-stack.ts';

let service: MailService;
beforeAll(async () => {
  service = await startMailService();
  process.env.MAIL_URL = service.url;
});
afterAll(() => service.stop());

const stack = withStack({
  subscribers: ['examples/reminders'],
  // The five minutes of a batch take 15 seconds.
  speed: 20,
});

test('ten minutes after messages in two groups were sent, a user who has read neither gets one mail', async () => {
  const groups = [freshPrefix('tea'), freshPrefix('attic')];
  const [ann, ben, cleo] = [freshPrefix('ann'), freshPrefix('ben'), freshPrefix('cleo')];
  for (const groupId of groups) {
    await stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds: [ann, ben, cleo] });
    const message = { messageId: '7', senderId: cleo, remindAfterSeconds: 600 };
    expect(await stack.asService('POST', `/v1/groups/${groupId}/messages`, message)).toMatchObject({
      status: 201,
    });
  }
  await stack.asUser(ben, 'PUT', `/v1/groups/${groups[0]}/watermark`, { messageId: '7' });
  await stack.call(null, 'POST', '/_local/clock', { advanceSeconds: 600 });
  const mails = await eventually(() => {
    const sent = service.mails.map(({ userId, messages }) => ({
      userId,
      groups: messages.map(({ groupId }) => groupId).toSorted(),
    }));
    expect(sent).toHaveLength(2);
    return sent;
  });
  expect(mails).toContainEqual({ userId: ann, groups: groups.toSorted() });
  expect(mails).toContainEqual({ userId: ben, groups: [groups[1]] });
});
