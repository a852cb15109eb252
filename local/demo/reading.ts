import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { Redis } from '@upstash/redis';
import { Webhook } from 'standardwebhooks';
import type { BusEvent } from '../http/api-client.ts';
import { expect, type Session, say, until } from './session.ts';

/** The main job: a user sends a message, and another user reads it. */
export async function playReading(session: Session, title: string, groupId: string, others: string[]) {
  const [a, b] = [`A-${session.run}`, `B-${session.run}`];
  const group = `/v1/groups/${groupId}`;
  say(`\n${title} (${groupId})`);
  await session.asService('POST', `${group}/members`, { userIds: [a, b, ...others] });
  say(`  A and B${others.length > 0 ? ', with C and D,' : ''} are members.`);
  for (let id = 1; id <= 100; id += 1) {
    await session.asService('POST', `${group}/messages`, { messageId: String(id), senderId: a });
  }
  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '100' });
  const ofB = async (to: string): Promise<BusEvent[]> => {
    const events = await session.client.eventsOf(groupId, 'WatermarkAdvanced');
    return events.filter(({ detail }) => detail.userId === b && detail.to === to);
  };
  // Two marks at nearly the same time may become one event.
  await until(async () => (await ofB('100')).length > 0, 'the event of B reading 100');
  say('  Messages 1 to 100 are recorded, and B has read up to 100.');

  await session.asService('POST', `${group}/messages`, { messageId: '101', senderId: a });
  say('  A sends 101.');
  await expectStatuses(session, b, group, [true, false], 'For B, 100 is read and 101 is unread.');
  await expectUnread(session, b, group, ['101'], 'B has 1 unread message.');

  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '101' });
  say('  B opens the group and marks 101.');
  await expectStatuses(session, b, group, [true, true], 'Now 101 is read,');
  await expectUnread(session, b, group, [], 'and B has nothing unread.');

  expect(await inLedger(session, b, groupId), '00000000000000000101', 'The ledger holds 101.');
  expect(await inCache(session, b, groupId), '000000000002t', 'The cache holds 101.');

  await until(async () => (await ofB('101')).length > 0, 'the event of B reading 101');
  const [event, ...more] = await ofB('101');
  expect(
    [event?.detail.from, event?.detail.to, more.length],
    ['100', '101', 0],
    'One event from 100 to 101 was published.',
  );
  await expectNotification(session, event?.id ?? '');
}

async function expectStatuses(session: Session, user: string, group: string, read: boolean[], what: string) {
  const body = { messageIds: ['100', '101'] };
  const answer = await session.as(user, 'POST', `${group}/messages/status`, body);
  const statuses = [
    { messageId: '100', read: read[0] },
    { messageId: '101', read: read[1] },
  ];
  expect(answer.statuses, statuses, what);
}

async function expectUnread(session: Session, user: string, group: string, ids: string[], what: string) {
  const { unread } = await session.as(user, 'GET', `${group}/watermark`);
  expect(unread, { count: ids.length, mentions: 0, firstId: ids[0] ?? null, exact: true }, what);
}

async function inLedger(
  { stack: { dynamodb, credentials } }: Session,
  userId: string,
  groupId: string,
): Promise<string | undefined> {
  const client = new DynamoDBClient({
    endpoint: dynamodb.endpoint,
    region: 'us-east-1',
    credentials,
  });
  const Key = { PK: { S: `USER#${userId}` }, SK: { S: `GROUP#${groupId}` } };
  const { Item } = await client.send(
    new GetItemCommand({ TableName: dynamodb.table, Key, ConsistentRead: true }),
  );
  client.destroy();
  return Item?.public?.S;
}

async function inCache(
  { stack: { upstash } }: Session,
  userId: string,
  groupId: string,
): Promise<string | undefined> {
  const redis = new Redis({ ...upstash, automaticDeserialization: false });
  const membership = await redis.hget<string>(`tm:{${groupId}}:members`, userId);
  // `<generation and joinedAfter>|<self><registers that differ from it>`, in base 36: B's own view comes first.
  return membership?.split('|')[1]?.slice(0, 13);
}

async function expectNotification({ client, directory }: Session, eventId: string): Promise<void> {
  const { status } = await client.call(null, 'GET', '/_local/webhook');
  if (status !== 200) {
    say(
      `  - Events are posted to your receiver; the demo does not check whether it has received ${eventId}.`,
    );
    return;
  }
  type Notification = { headers: Record<string, string>; body: string };
  const received = async () => {
    const { text } = await client.call(null, 'GET', '/_local/notifications');
    const { notifications } = JSON.parse(text) as { notifications: Notification[] };
    return notifications.find(({ headers }) => headers['webhook-id'] === eventId);
  };
  await until(async () => (await received()) !== undefined, 'the notification');
  const notification = await received();
  // Throws an error if the secret did not make the signature.
  new Webhook(directory.webhookSecret()).verify(notification?.body ?? '', notification?.headers ?? {});
  say('  ✓ The webhook has received it, and its signature is valid.');
}
