import { beforeAll, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { withStack } from '../support/running-stack.ts';

// A deployment with `events=off`: no events, and everything else unchanged.

const stack = withStack({ context: { events: 'off' } });
let service: string;
beforeAll(async () => {
  service = await stack.serviceToken();
});

test('marks and receipts are right, facts are applied, and no event is published', async () => {
  const group = `/v1/groups/${freshPrefix()}`;
  await stack.call(service, 'POST', `${group}/members`, { userIds: ['alice', 'bob'] });
  await stack.call(service, 'POST', `${group}/messages`, { messageId: '7', senderId: 'bob' });
  const alice = await stack.userToken('alice');
  expect(await stack.call(alice, 'PUT', `${group}/watermark`, { messageId: '7' })).toMatchObject({
    status: 200,
    body: { messageId: '7', advanced: true, unread: { count: 0, mentions: 0, firstId: null, exact: true } },
  });
  expect(await stack.call(alice, 'POST', `${group}/receipts`, { messageIds: ['7'] })).toMatchObject({
    body: { receipts: [{ messageId: '7', audience: 1, readCount: 1, readByAll: true }] },
  });

  // The fact follows the mark: an event of the mark would have come before the fact takes effect.
  const groupId = group.slice('/v1/groups/'.length);
  await stack.putFacts([{ detailType: 'MessageSent', detail: { groupId, messageId: '8', senderId: 'bob' } }]);
  await eventually(async () =>
    expect(await stack.call(alice, 'GET', `${group}/watermark`)).toMatchObject({
      body: { messageId: '7', head: '8', unread: { count: 1, mentions: 0, firstId: '8', exact: true } },
    }),
  );
  const { body } = await stack.call(null, 'GET', '/_local/events');
  const { events } = body as { events: { source: string; 'detail-type': string }[] };
  expect(events.map(({ source, 'detail-type': type }) => `${source} ${type}`)).toEqual(['chat MessageSent']);
});
