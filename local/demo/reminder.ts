import { expect, type Session, say, until } from './session.ts';

/** A reminder: an event names who has not read a message after ten minutes. */
export async function playReminder(session: Session): Promise<void> {
  const { run, client } = session;
  const [a, b, c] = [`A-${run}`, `B-${run}`, `C-${run}`];
  const groupId = `demo-reminder-${run}`;
  const group = `/v1/groups/${groupId}`;

  say(`\nA reminder (${groupId})`);
  await session.asService('POST', `${group}/members`, { userIds: [a, b, c] });
  await session.asService('POST', `${group}/messages`, {
    ...{ messageId: '1', senderId: a, remindAfterSeconds: 600 },
  });
  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '1' });
  say('  A sends 1, with a reminder after ten minutes. B reads it, and C does not.');
  const clock = await client.call(null, 'POST', '/_local/clock', { advanceSeconds: 600 });
  expect(clock.status, 200, 'The local stack turns the clock of its schedules forward by ten minutes.');
  const reminders = async () =>
    (await client.eventsOf(groupId, 'MessageStillUnread')).map(({ detail }) => [
      detail.messageId,
      detail.userIds,
    ]);
  await until(async () => (await reminders()).length > 0, 'the event of the unread message');
  expect(await reminders(), [['1', [c]]], 'An event was published: C has not read 1.');
}
