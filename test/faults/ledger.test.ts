import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Answer, fieldsOf } from '../../local/http/api-client.ts';
import { eventually } from '../support/engines.ts';
import {
  type Fault,
  type FaultProxy,
  INTERNAL_ERROR,
  THROTTLED,
  THROUGHPUT_EXCEEDED,
} from '../support/fault-proxy.ts';
import { cachedPositionText, expectCovered, positionText, withFaultStack } from '../support/fault-stack.ts';

const HEAD = 10;

const faults = withFaultStack();
let ledger: FaultProxy;
let groupId: string;

beforeAll(() => {
  ledger = faults.proxies.dynamodb;
});

beforeEach(async () => {
  groupId = await faults.api.openGroup(['sender', 'ann'], HEAD);
  expect((await faults.api.mark(groupId, 'ann', 3)).status).toBe(200);
  await eventually(async () => expect(await faults.api.notified(groupId, 'ann')).toHaveLength(1));
});
afterEach(() => ledger.clear());

const refusals: readonly (readonly [string, Fault])[] = [
  ['throttles', THROTTLED],
  ['has no throughput left', THROUGHPUT_EXCEEDED],
  ['fails inside', INTERNAL_ERROR],
  ['breaks every connection', { kind: 'lose request' }],
];

describe.each(refusals)('the ledger %s', (_what, fault) => {
  test('a mark is refused without effect, and succeeds when it is repeated', async () => {
    ledger.always('UpdateItem', fault);
    expectUnavailable(await faults.api.mark(groupId, 'ann', 8));
    await expectReadUpTo(3);
    expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(3));
    expect(await faults.cachedText(groupId, 'ann')).not.toContain(cachedPositionText(8));

    ledger.clear();
    await expectMarkTaken(8, { advanced: true });
  });

  test('reads that the cache can answer still work, and others are refused', async () => {
    ledger.always(() => true, fault);
    // On a busy machine the cache may answer too late, and then the call is refused, too.
    await eventually(() => expectReadUpTo(3));
    await eventually(async () =>
      expect(await faults.api.statuses(groupId, 'ann', 3, 4)).toMatchObject({
        status: 200,
        body: { statuses: [{ read: true }, { read: false }] },
      }),
    );
    // Marks that move nothing call only the cache.
    await eventually(async () =>
      expect(await faults.api.mark(groupId, 'ann', 2)).toMatchObject({
        status: 200,
        body: { messageId: '3', advanced: false },
      }),
    );
    await faults.emptyCache();
    expectUnavailable(await faults.api.watermark(groupId, 'ann'));
    expectUnavailable(await faults.api.statuses(groupId, 'ann', 3));

    ledger.clear();
    await expectReadUpTo(3);
  });
});

test('members and messages of back ends are refused in the same way', async () => {
  ledger.always(() => true, INTERNAL_ERROR);
  const refused = [
    await faults.api.asService('PUT', `/v1/groups/${groupId}/members/ben`),
    await faults.api.asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['ben'] }),
    await faults.api.asService('GET', `/v1/groups/${groupId}/members`),
    await faults.api.asService('DELETE', `/v1/groups/${groupId}/members/ann`),
    await faults.api.record(groupId, 11, 'sender'),
    await faults.api.asService('DELETE', `/v1/groups/${groupId}/messages/10`),
    await faults.api.asService('PUT', `/v1/users/ann/groups/${groupId}/watermark`, { messageId: '8' }),
  ];
  for (const answer of refused) expectUnavailable(answer);

  ledger.clear();
  expect(await faults.api.asService('GET', `/v1/groups/${groupId}/members`)).toMatchObject({
    body: { members: [{ userId: 'ann', messageId: '3' }, { userId: 'sender' }] },
  });
  expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({
    body: { head: '10', unread: { count: 7, mentions: 0, firstId: '4', exact: true } },
  });
  expect((await faults.api.record(groupId, 11, 'sender')).status).toBe(201);
  expect(await faults.api.asService('PUT', `/v1/groups/${groupId}/members/ben`)).toMatchObject({
    status: 201,
    body: { joinedAfter: '11' },
  });
});

describe('the ledger does not answer', () => {
  test('a mark that does not arrive is refused, and succeeds when it is repeated', async () => {
    ledger.always('UpdateItem', { kind: 'hang' });
    expectUnavailable(await faults.api.mark(groupId, 'ann', 8));
    await expectReadUpTo(3);

    ledger.clear();
    await expectMarkTaken(8, { advanced: true });
  });

  test('a mark whose answer is lost is refused, and acknowledged when it is repeated', async () => {
    ledger.always('UpdateItem', { kind: 'lose answer' });
    expectUnavailable(await faults.api.mark(groupId, 'ann', 8));
    expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(8));

    ledger.clear();
    expect((await faults.api.mark(groupId, 'ann', 8)).status).toBe(200);
    await expectNotified(8);
  });

  test('a single lost answer has no effect: the call’s own write counts as its own', async () => {
    ledger.once('UpdateItem', { kind: 'lose answer' });
    await expectMarkTaken(8, { advanced: true });
    ledger.once('UpdateItem', { kind: 'lose answer' });
    const joined = await faults.api.asService('PUT', `/v1/groups/${groupId}/members/ben`);
    expect(joined).toMatchObject({ status: 201, body: { joinedAfter: '10' } });
    ledger.once('UpdateItem', { kind: 'lose answer' });
    ledger.once('UpdateItem', { kind: 'lose answer' });
    const added = await faults.api.asService('POST', `/v1/groups/${groupId}/members`, {
      userIds: ['ann', 'cem', 'dot'],
    });
    expect(added).toMatchObject({ status: 200, body: { added: 2, existing: 1 } });
    ledger.once(({ body }) => body.includes('"sentAt"'), { kind: 'lose answer' });
    const recorded = await faults.api.record(groupId, 11, 'sender');
    expect(recorded).toMatchObject({ status: 201, body: { head: '11' } });
  });

  test('a repeated write does not count another call’s write as its own', async () => {
    const others: Answer[] = [];
    const then = async () => {
      others.push(await faults.api.mark(groupId, 'ann', 9));
    };
    ledger.once('UpdateItem', { kind: 'lose request', then });
    expect(await faults.api.mark(groupId, 'ann', 8)).toMatchObject({
      status: 200,
      body: { messageId: '9', advanced: false },
    });
    expect(others).toMatchObject([{ status: 200, body: { messageId: '9', advanced: true } }]);
  });

  test('a partly recorded message is complete once it is recorded again', async () => {
    ledger.always(
      ({ operation, body }) => operation === 'UpdateItem' && body.includes('"HEAD"'),
      INTERNAL_ERROR,
    );
    expectUnavailable(await faults.api.record(groupId, 11, 'sender'));
    ledger.clear();
    expect(await faults.api.record(groupId, 11, 'sender')).toMatchObject({ body: { head: '11' } });
    expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({
      body: { head: '11', unread: { count: 8, mentions: 0, firstId: '4', exact: true } },
    });
    expect(await faults.api.watermark(groupId, 'sender')).toMatchObject({
      body: { messageId: '11', unread: { count: 0, mentions: 0, firstId: null, exact: true } },
    });
  });
});

test('during and after outages, reads return everything that was acknowledged', async () => {
  const faultsInTurn: readonly (Fault | null)[] = [
    { kind: 'lose request' },
    null,
    { kind: 'lose answer' },
    INTERNAL_ERROR,
  ];
  let acknowledged = 3;
  for (let messageId = 4; messageId <= HEAD; messageId += 1) {
    for (const fault of faultsInTurn) {
      ledger.clear();
      if (fault) ledger.always('UpdateItem', fault);
      const { status } = await faults.api.mark(groupId, 'ann', messageId);
      if (status === 200) acknowledged = messageId;
      const { messageId: read } = fieldsOf(await faults.api.watermark(groupId, 'ann'));
      expect(Number(read)).toBeGreaterThanOrEqual(acknowledged);
    }
  }
  await expectNotified(HEAD);
});

function expectUnavailable({ status, contentType, retryAfter, body }: Answer): void {
  expect({ status, body }).toMatchObject({ status: 503, body: { status: 503, code: 'unavailable' } });
  expect(contentType).toBe('application/problem+json');
  expect(retryAfter).toMatch(/^[1-9][0-9]*$/);
}

async function expectReadUpTo(messageId: number): Promise<void> {
  expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({
    status: 200,
    body: { messageId: String(messageId), unread: { count: HEAD - messageId, exact: true } },
  });
}

async function expectMarkTaken(messageId: number, { advanced }: { advanced: boolean }): Promise<void> {
  expect(await faults.api.mark(groupId, 'ann', messageId)).toMatchObject({
    status: 200,
    body: { messageId: String(messageId), advanced },
  });
  await expectNotified(messageId);
}

/** The stores, a read, the bus and the webhook have the mark. */
async function expectNotified(messageId: number): Promise<void> {
  await expectReadUpTo(messageId);
  expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(messageId));
  await eventually(async () =>
    expect(await faults.cachedText(groupId, 'ann')).toContain(cachedPositionText(messageId)),
  );
  await eventually(async () =>
    expectCovered(await faults.api.notified(groupId, 'ann'), { from: null, to: messageId }),
  );
}
