import { expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import type { GroupId, UserId } from '../../shared/domain/ids.ts';
import { inParallel } from '../../shared/domain/in-parallel.ts';
import { joinAt } from '../../shared/domain/membership.ts';
import { START } from '../../shared/domain/position.ts';
import { membershipItem } from '../../shared/ledger/items.ts';
import { membershipKey } from '../../shared/ledger/keys.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { expiringToken } from '../support/expiring-token.ts';
import { INTERNAL_ERROR } from '../support/fault-proxy.ts';
import { withFaultStack } from '../support/fault-stack.ts';
import { changeRole } from '../support/roles.ts';
import { type OpenSocket, opened } from '../support/web-socket-gateway.ts';

/*
 * Every grant of every role is needed by a call that some function makes. So the functions are driven through all that
 * makes them call AWS: the cache full, empty and away, early marks, facts, records that cannot be read, and failures
 * that end in a dead-letter queue.
 */

const faults = withFaultStack({
  // A grant that no call needs: this shows that the test finds such grants.
  changeResources: (resources) =>
    changeRole(resources, 'mark-read', (statements) => [
      ...statements,
      { Effect: 'Allow', Action: 'dynamodb:DeleteItem', Resource: 'arn:of:a-grant-that-nobody-needs' },
    ]),
});

/**
 * What the platform does under a function's role and nothing here plays: Lambda writes the function's log, and sends the
 * traces of routes to X-Ray, which has no resources to name.
 */
const UNTRACED = [
  ...['apply-facts', 'deliver-webhook', 'notify', 'project-ledger', 'publish-events'],
  ...['close-connection', 'push-frames', 'find-reminders', 'send-reminders', 'erase'],
];
const byPlatform = (functionName: string) => [
  ...(UNTRACED.some((name) => functionName.endsWith(`-${name}`)) ? [] : tracing(functionName)),
  `${functionName} logs:CreateLogStream arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/${functionName}:*`,
  `${functionName} logs:PutLogEvents arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/${functionName}:*`,
];
const tracing = (functionName: string) => [
  `${functionName} xray:PutTelemetryRecords *`,
  `${functionName} xray:PutTraceSegments *`,
];

const unused = () =>
  faults.stack
    .grants()
    .filter(({ isUsed }) => !isUsed)
    .map(({ functionName, action, resource }) => `${functionName} ${action} ${resource}`)
    .sort();

type Call = readonly [caller: 'service' | 'user', method: string, path: string, body?: unknown];

/** Each route once, in a group of ann and ben in which ann has sent five messages. */
const routes = (groupId: string): readonly Call[] => {
  const group = `/v1/groups/${groupId}`;
  return [
    ['service', 'PUT', `${group}/members/cleo`],
    ['service', 'POST', `${group}/members`, { userIds: ['dan', 'ben'] }],
    ['service', 'GET', `${group}/members`],
    ['service', 'POST', `${group}/messages`, { messageId: '6', senderId: 'ann' }],
    ['service', 'DELETE', `${group}/messages/1`],
    ['service', 'DELETE', `${group}/members/cleo`],
    ['user', 'PUT', `${group}/delivered`, { messageId: '4' }],
    ['user', 'PUT', `${group}/watermark`, { messageId: '3' }],
    ['user', 'GET', `${group}/watermark`],
    ['user', 'POST', `${group}/messages/status`, { messageIds: ['3', '4'] }],
    ['user', 'POST', `${group}/unread`, { messageId: '2' }],
    ['user', 'POST', '/v1/watermarks', { marks: [{ groupId, messageId: '4' }] }],
    ['service', 'POST', '/v1/messages', { messages: [{ groupId, messageId: '7', senderId: 'ann' }] }],
    ['service', 'PUT', group, { receipts: 'members' }],
    ['service', 'PUT', group, { parentId: null }],
    ['service', 'GET', group],
    ['service', 'GET', '/v1/users/ben/export'],
    ['service', 'DELETE', '/v1/users/zoe'],
    ['user', 'GET', '/v1/badge'],
    ['service', 'POST', '/v1/badges', { userIds: ['ben'] }],
    ['user', 'GET', '/v1/inbox'],
    ['user', 'POST', '/v1/watermarks/all'],
    ['user', 'GET', `${group}/messages/3/receipts`],
    ['user', 'POST', `${group}/receipts`, { messageIds: ['3', '4'] }],
    // At the end: the inbox and the badge leave out an archived group.
    ['user', 'PATCH', `${group}/preferences`, { archive: 'untilNew', hideReceipts: false }],
    ['user', 'GET', `${group}/preferences`],
  ];
};

/** Calls each route in a new group. `before` is called before each. */
async function callAll(before: () => Promise<void>): Promise<void> {
  const groupId = await faults.api.openGroup(['ann', 'ben'], 5);
  for (const [caller, method, path, body] of routes(groupId)) {
    await before();
    const answer =
      caller === 'user'
        ? await faults.api.asUser('ben', method, path, body)
        : await faults.api.asService(method, path, body);
    expect([method, path, answer.status < 300]).toEqual([method, path, true]);
  }
  // The id of a known message under another sender: the head says whether the group was deleted since.
  const known = { messageId: '3', senderId: 'ben' };
  const alone = await faults.api.asService('POST', `/v1/groups/${groupId}/messages`, known);
  const batch = await faults.api.asService('POST', '/v1/messages', { messages: [{ groupId, ...known }] });
  expect([alone.status, batch.status]).toEqual([409, 200]);
}

/** Makes every function call the cache again at once. */
const restartFunctions = () => faults.stack.lambda.kill();

async function withoutCache(act: () => Promise<void>): Promise<void> {
  const mend = faults.proxies.upstash.always(() => true, {
    kind: 'answer',
    status: 503,
    body: { error: 'away' },
  });
  await act();
  mend();
  await restartFunctions();
}

function putFact(detailType: string, detail: Record<string, unknown>): void {
  expect(faults.putEvent('chat', detailType, detail)).toEqual({ EventId: expect.any(String) });
}

function putEvent(DetailType: string, detail: object): void {
  const entry = { EventBusName: 'tidemark-local', Source: 'tidemark', DetailType };
  faults.stack.bus.put([{ ...entry, Detail: JSON.stringify(detail) }]);
}

function putDueFrame(kind: string, groupId: string, userId: string): void {
  const [from, to] = ['0'.padStart(20, '0'), '2'.padStart(20, '0')];
  const body = { id: freshPrefix(), 'detail-type': 'FrameDue', detail: { groupId, userId, kind, from, to } };
  faults.queue('push-frames').send({ body: JSON.stringify(body) });
}

async function recordWithReminder(groupId: string, messageId: number): Promise<void> {
  const message = { messageId: String(messageId), senderId: 'ann', remindAfterSeconds: 60 };
  expect((await faults.api.asService('POST', `/v1/groups/${groupId}/messages`, message)).status).toBe(201);
}

/** The job of a message that was recorded with a reminder, as if its minute were over. */
function putReminder(groupId: string, messageId: number): void {
  const detail = {
    PK: `GROUP#${groupId}`,
    SK: `MSG#${String(messageId).padStart(20, '0')}`,
    atMs: Date.now() + 60_000,
  };
  const body = { id: freshPrefix(), 'detail-type': 'ReminderDue', detail };
  faults.queue('send-reminders').send({ body: JSON.stringify(body) });
}

/** Lets the reminder of a message come, then one of more members than one job looks at: that one queues the rest. */
async function remind(): Promise<void> {
  const groupId = await faults.api.openGroup(['ann', 'ben'], 1);
  await recordWithReminder(groupId, 2);
  await faults.call(null, 'POST', '/_local/clock', { advanceSeconds: 60 });
  const named = async (ofGroup: string) =>
    (await faults.eventsOf(ofGroup, 'MessageStillUnread')).flatMap(
      ({ detail }) => detail.userIds as string[],
    );
  await eventually(async () => expect(await named(groupId)).toEqual(['ben']));

  const large = await faults.api.openGroup(['ann'], 1);
  const userIds = Array.from({ length: 2_001 }, (_, index) => `u${index}` as UserId);
  const membership = joinAt(START, 1_700_000_000_000, 0);
  await inParallel(userIds, 20, (userId) => {
    const member = { groupId: large as GroupId, userId };
    return faults.putItem({ ...membershipKey(member), ...membershipItem(member, membership) });
  });
  let messageId = 1;
  // Where the cache does not answer in time, the ledger names all of them at once, and nothing is left to queue.
  await eventually(async () => {
    messageId += 1;
    await recordWithReminder(large, messageId);
    putReminder(large, messageId);
    await eventually(() => expect(faults.queue('send-reminders').messages()).toEqual([]));
    expect(
      unused().filter((grant) => /send-reminders sqs:SendMessage .*send-reminders$/.test(grant)),
    ).toEqual([]);
  });
  expect(new Set(await named(large)).size).toBe(2_001);
}

const connectWith = (token: string) =>
  opened(new WebSocket(faults.stack.description.wsUrl ?? '', ['tidemark.v1', `bearer.${token}`]));

/** Connects more often than one user may, sends each kind of frame, and one after the end of the token. */
async function useConnections(): Promise<void> {
  const groupId = await faults.api.openGroup(['ann', 'ben'], 2);
  const token = await faults.stack.issueToken('ben', 'user');
  const devices: OpenSocket[] = [];
  for (let count = 0; count < 21; count += 1) devices.push(await connectWith(token));
  await devices[0]?.closed;
  const device = devices.at(-1);
  const frames = [
    { action: 'sync', ref: 1 },
    { action: 'sync', ref: 2, groups: [groupId] },
    { action: 'mark', ref: 3, groupId, messageId: '1' },
  ];
  for (const [index, frame] of frames.entries()) {
    await faults.emptyCache();
    device?.socket.send(JSON.stringify(frame));
    await eventually(() => expect(device?.received.join()).toContain(`"ref":${index + 1}`));
  }
  for (const { socket } of devices) socket.close();

  const late = await connectWith(await expiringToken(faults.dataDirectory, 'ben', 3));
  const asking = setInterval(() => late.socket.send('{"action":"sync"}'), 500);
  await late.closed;
  clearInterval(asking);
}

/** Erases a user who is a member and connected. */
async function eraseSomebody(): Promise<void> {
  const userId = freshPrefix('u');
  const groupId = await faults.api.openGroup(['ann', userId], 1);
  const device = await connectWith(await faults.stack.issueToken(userId, 'user'));
  expect((await faults.api.asService('DELETE', `/v1/users/${userId}`)).status).toBe(202);
  await device.closed;
  await eventually(async () => {
    for (const sortKey of [`GROUP#${groupId}`, 'ERASURE']) {
      expect(await faults.ledgerItem(`USER#${userId}`, sortKey)).toBeUndefined();
    }
  });
}

/** Deletes a group with members and messages. */
async function deleteAGroup(): Promise<void> {
  const userId = freshPrefix('u');
  const groupId = await faults.api.openGroup(['ann', userId], 1);
  expect((await faults.api.asService('DELETE', `/v1/groups/${groupId}`)).status).toBe(202);
  await eventually(async () => {
    expect(await faults.ledgerItem(`USER#${userId}`, `GROUP#${groupId}`)).toBeUndefined();
  });
}

function putErasure(userId: string): void {
  const detail = { PK: `USER#${userId}`, SK: 'ERASURE', waitedSinceMs: null };
  const body = { id: freshPrefix(), 'detail-type': 'ErasureDue', detail };
  faults.queue('erase').send({ body: JSON.stringify(body) });
}

/** Pushes to connections that are gone and whose tokens have expired: with the cache, without it, and from the queue. */
async function pushFrames(): Promise<void> {
  const groupId = await faults.api.openGroup(['ann', 'ben'], 2);
  const users = ['ann', 'ben'];
  const openOld = () =>
    Promise.all(
      users.map((userId) =>
        faults.putItem({
          ...{ PK: { S: `USER#${userId}` }, SK: { S: 'CONN#gone' }, kind: { S: 'connection' } },
          ...{
            connectionId: { S: 'gone' },
            connectedAt: { N: String(Date.now()) },
            tokenExpiresAt: { N: '1' },
          },
        }),
      ),
    );
  const isForgotten = () =>
    eventually(async () => {
      for (const userId of users) {
        expect(await faults.ledgerItem(`USER#${userId}`, 'CONN#gone')).toBeUndefined();
      }
    });
  const move = { groupId, userId: 'ben', membership: 1, from: null, to: '2', readAt: '', ownRevision: 0 };
  await withoutCache(async () => {
    await openOld();
    putEvent('WatermarkAdvanced', move);
    await isForgotten();
    // If notify is still pushing, it may forget the connections first.
    await eventually(async () => {
      await openOld();
      putDueFrame('view', groupId, 'ben');
      putDueFrame('receipts', groupId, 'ann');
      await isForgotten();
      expect(unused().filter((grant) => /push-frames dynamodb:/.test(grant))).toEqual([]);
    });
  });
  // The second of two at once waits in the queue.
  await faults.emptyCache();
  await openOld();
  for (let count = 0; count < 5; count += 1) putEvent('WatermarkAdvanced', move);
  await isForgotten();
}

async function isParked(functionName: string, text: string): Promise<void> {
  await eventually(async () => {
    const letters = await faults.api.deadLetters();
    const own = letters.filter(({ queue }) => queue.endsWith(`:tidemark-local-${functionName}-dead-letters`));
    expect(JSON.stringify(own)).toContain(text);
  });
}

const isTriedAgain = (name: string) =>
  eventually(() => {
    const receives = faults
      .queue(name)
      .messages()
      .map(({ receiveCount }) => receiveCount);
    expect(Math.max(...receives)).toBeGreaterThanOrEqual(2);
  });

const hasRead = (groupId: string, userId: string, messageId: string) =>
  eventually(async () => {
    const watermark = await faults.api.watermark(groupId, userId);
    expect(watermark).toMatchObject({ status: 200, body: { messageId } });
  });

test('every grant is needed by a call, except for those that Lambda itself uses', async () => {
  const { api, proxies, stack } = faults;
  expect((await api.asService('GET', '/v1/health')).status).toBe(200);
  await callAll(async () => undefined);
  await callAll(() => faults.emptyCache());
  await withoutCache(() => callAll(async () => undefined));

  // A mark that overtook its message is applied when the message is recorded, by the route or as a fact.
  const early = await api.openGroup(['ann', 'ben'], 1);
  expect(await api.mark(early, 'ben', 2)).toMatchObject({ status: 200, body: { clamped: true } });
  await api.record(early, 2, 'ann');
  await hasRead(early, 'ben', '2');
  expect(await api.mark(early, 'ben', 3)).toMatchObject({ status: 200, body: { clamped: true } });
  putFact('MessageSent', { groupId: early, messageId: '3', senderId: 'ann' });
  await hasRead(early, 'ben', '3');
  await eventually(async () => expect(await api.fullyReadEvents(early)).toContain('3'));
  expect(await api.mark(early, 'ben', 4)).toMatchObject({ status: 200, body: { clamped: true } });
  const messages = [{ groupId: early, messageId: '4', senderId: 'ann' }];
  expect((await api.asService('POST', '/v1/messages', { messages })).status).toBe(200);
  await hasRead(early, 'ben', '4');

  // If the cache does not know how far everyone has read, project-ledger reads it from the ledger.
  const readGroup = await api.openGroup(['ann', 'ben'], 2);
  await faults.emptyCache();
  await api.mark(readGroup, 'ben', 2);
  await eventually(async () => expect(await api.fullyReadEvents(readGroup)).toContain('2'));

  // A join without joinedAfter reads the newest message, if there is one.
  const joined = freshPrefix();
  putFact('MemberJoined', { groupId: joined, userId: 'ann' });
  putFact('MessageSent', { groupId: joined, messageId: '1', senderId: 'ann' });
  putFact('MemberJoined', { groupId: joined, userId: 'ben' });
  await hasRead(joined, 'ben', '1');

  await remind();
  await useConnections();
  await pushFrames();
  await eraseSomebody();
  await deleteAGroup();

  // Functions send messages that they cannot handle to their dead-letter queue.
  const broken = freshPrefix();
  await faults.putItem({
    ...{ PK: { S: 'USER#ann' }, SK: { S: `GROUP#${broken}` }, kind: { S: 'membership' } },
    ...{ groupId: { S: broken }, userId: { S: 'ann' } },
  });
  await faults.putItem({
    ...{ PK: { S: 'USER#ann' }, SK: { S: `GROUP#${broken}` }, kind: { S: 'membership' } },
    ...{ groupId: { S: broken }, userId: { S: 'ann' }, public: { S: 'broken' } },
  });
  await isParked('project-ledger', broken);
  await isParked('publish-events', broken);
  putFact('MemberJoined', { groupId: broken, userId: 'not valid' });
  await isParked('apply-facts', broken);
  faults.queue('deliver-webhook').send({ body: 'no event' });
  await isParked('deliver-webhook', 'no event');
  faults.queue('push-frames').send({ body: 'no frame' });
  await isParked('push-frames', 'no frame');
  faults.queue('send-reminders').send({ body: 'no reminder' });
  await isParked('send-reminders', 'no reminder');
  faults.queue('erase').send({ body: 'no erasure' });
  await isParked('erase', 'no erasure');
  const unreadable = freshPrefix();
  putEvent('DeliveryAdvanced', { groupId: unreadable, userId: 'no id', from: null, to: '1' });
  await isParked('notify', unreadable);

  // A function sets a pause for events that fail.
  const failing = await api.openGroup(['ann', 'ben'], 1);
  await recordWithReminder(failing, 2);
  const mendWebhook = proxies.webhook.always(() => true, { kind: 'answer', status: 500, body: {} });
  const mendLedger = proxies.dynamodb.always('UpdateItem', INTERNAL_ERROR);
  const mendQueries = proxies.dynamodb.always('Query', INTERNAL_ERROR);
  putFact('MessageSent', { groupId: failing, messageId: '3', senderId: 'ann' });
  putEvent('Any', {});
  putDueFrame('view', failing, 'ben');
  putReminder(failing, 2);
  const erased = freshPrefix('u');
  await faults.putItem({
    ...{ PK: { S: `USER#${erased}` }, SK: { S: 'ERASURE' }, kind: { S: 'erasure' } },
    ...{ userId: { S: erased }, begunAt: { N: '1' } },
  });
  putErasure(erased);
  const names = ['apply-facts', 'deliver-webhook', 'push-frames', 'send-reminders', 'erase'];
  for (const name of names) await isTriedAgain(name);
  mendWebhook();
  mendLedger();
  mendQueries();

  const functionNames = Object.keys(stack.lambda.sizes());
  const expected = [
    ...functionNames.flatMap(byPlatform),
    'tidemark-local-mark-read dynamodb:DeleteItem arn:of:a-grant-that-nobody-needs',
  ].sort();
  await eventually(() => expect(unused()).toEqual(expected));
});
