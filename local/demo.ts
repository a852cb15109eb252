import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { Redis } from '@upstash/redis';
import { Webhook } from 'standardwebhooks';
import { DataDirectory, UsageError } from './data-directory.ts';
import { Issuer, SCOPES } from './http/issuer.ts';

const DEADLINE_MS = 10_000;

interface Event {
  readonly id: string;
  readonly 'detail-type': string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Plays Tidemark's main job against the running stack, step by step. Throws at the first step that is not as expected. */
async function play(dataPath: string): Promise<void> {
  const directory = new DataDirectory(dataPath);
  const stack = directory.description();
  if (!stack) throw new UsageError(`No stack runs on ${directory.path}; start one with npm run dev.`);
  const issuer = await Issuer.open(directory.path);
  const service = await issuer.issue('service', SCOPES.service);
  const run = Date.now().toString(36);
  const [a, b] = [`A-${run}`, `B-${run}`];
  const tokens = new Map<string, string>();
  for (const user of [a, b]) tokens.set(user, await issuer.issue(user, SCOPES.user));

  const call = async (token: string, method: string, path: string, body?: unknown) => {
    const response = await fetch(`${stack.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text ? JSON.parse(text) : {}) as Record<string, unknown>;
  };
  const asService = (method: string, path: string, body?: unknown) => call(service, method, path, body);
  const as = (user: string, method: string, path: string, body?: unknown) =>
    call(tokens.get(user) ?? '', method, path, body);
  const events = async (groupId: string) => {
    const response = await fetch(`${stack.apiUrl}/_local/events`);
    const all = ((await response.json()) as { events: Event[] }).events;
    return all.filter(
      (event) => event['detail-type'] === 'WatermarkAdvanced' && event.detail.groupId === groupId,
    );
  };

  for (const [title, groupId] of [
    ['A group of two and more', `demo-group-${run}`],
    ['A one-to-one chat: a group of two', `demo-chat-${run}`],
  ] as const) {
    say(`\n${title} (${groupId})`);
    const group = `/v1/groups/${groupId}`;
    const others = title.includes('more') ? [`C-${run}`, `D-${run}`] : [];
    await asService('POST', `${group}/members`, { userIds: [a, b, ...others] });
    say(`  A and B${others.length > 0 ? ', with C and D,' : ''} are members.`);
    for (let id = 1; id <= 100; id += 1) {
      await asService('POST', `${group}/messages`, { messageId: String(id), senderId: a });
    }
    await as(b, 'PUT', `${group}/watermark`, { messageId: '100' });
    const isOfB =
      (to: string) =>
      ({ detail }: Event) =>
        detail.userId === b && detail.to === to;
    // Two marks that follow each other at once may be told as one.
    await until(async () => (await events(groupId)).some(isOfB('100')), 'the event of B reading 100');
    say('  Messages 1 to 100 are recorded, and B has read up to 100.');

    await asService('POST', `${group}/messages`, { messageId: '101', senderId: a });
    say('  A sends 101.');
    await expectStatuses(as, b, group, [true, false], 'For B, 100 is read and 101 is unread.');
    await expectUnread(as, b, group, 1, 'B has 1 unread message.');

    await as(b, 'PUT', `${group}/watermark`, { messageId: '101' });
    say('  B looks at the group and marks 101.');
    await expectStatuses(as, b, group, [true, true], 'Now 101 is read,');
    await expectUnread(as, b, group, 0, 'and B has nothing unread.');

    const position = '101'.padStart(20, '0');
    expect(await inLedger(stack, b, groupId), position, 'The ledger holds 101.');
    expect(await inCache(stack, b, groupId), position, 'The cache holds 101.');

    await until(async () => (await events(groupId)).some(isOfB('101')), 'the event of B reading 101');
    const [event, ...more] = (await events(groupId)).filter(isOfB('101'));
    expect(
      [event?.detail.from, event?.detail.to, more.length],
      ['100', '101', 0],
      'One event from 100 to 101 went over the bus.',
    );
    await expectNotification(stack.apiUrl, directory, event?.id ?? '');
  }
  say('\nEverything was as expected.');
}

type Call = (user: string, method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;

async function expectStatuses(
  as: Call,
  user: string,
  group: string,
  read: boolean[],
  what: string,
): Promise<void> {
  const answer = await as(user, 'POST', `${group}/messages/status`, { messageIds: ['100', '101'] });
  const statuses = [
    { messageId: '100', read: read[0] },
    { messageId: '101', read: read[1] },
  ];
  expect(answer.statuses, statuses, what);
}

async function expectUnread(
  as: Call,
  user: string,
  group: string,
  count: number,
  what: string,
): Promise<void> {
  const { unread } = await as(user, 'GET', `${group}/watermark`);
  expect(unread, { count, exact: true }, what);
}

async function inLedger(
  { dynamodb }: { dynamodb: { endpoint: string; table: string } },
  userId: string,
  groupId: string,
): Promise<string | undefined> {
  const client = new DynamoDBClient({
    endpoint: dynamodb.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const Key = { PK: { S: `USER#${userId}` }, SK: { S: `GROUP#${groupId}` } };
  const { Item } = await client.send(
    new GetItemCommand({ TableName: dynamodb.table, Key, ConsistentRead: true }),
  );
  client.destroy();
  return Item?.public?.S;
}

async function inCache(
  { upstash }: { upstash: { url: string; token: string } },
  userId: string,
  groupId: string,
): Promise<string | undefined> {
  const redis = new Redis({ ...upstash, automaticDeserialization: false });
  const membership = await redis.hget<string>(`tm:{${groupId}}:members`, userId);
  // generation|joinedAfter|self and further registers where they differ: the first after the join is B's own view.
  return membership?.split('|')[2]?.slice(0, 20);
}

async function expectNotification(apiUrl: string, directory: DataDirectory, eventId: string): Promise<void> {
  type Notification = { headers: Record<string, string>; body: string };
  const received = async () => {
    const response = await fetch(`${apiUrl}/_local/notifications`);
    const { notifications } = (await response.json()) as { notifications: Notification[] };
    return notifications.find(({ headers }) => headers['webhook-id'] === eventId);
  };
  await until(async () => (await received()) !== undefined, 'the notification');
  const notification = await received();
  // Throws where the signature is not the secret's.
  new Webhook(directory.webhookSecret()).verify(notification?.body ?? '', notification?.headers ?? {});
  say('  ✓ The webhook has received it, and its signature is right.');
}

function expect(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${what} But it is ${JSON.stringify(actual)} and not ${JSON.stringify(expected)}.`);
  }
  say(`  ✓ ${what}`);
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${DEADLINE_MS / 1000} s`);
    await delay(50);
  }
}

function say(text: string): void {
  console.log(text);
}

const { values } = parseArgs({ options: { data: { type: 'string', default: '.tidemark' } } });
play(values.data).catch((error: unknown) => {
  console.error(error instanceof Error ? `  ✗ ${error.message}` : error);
  process.exitCode = 1;
});
