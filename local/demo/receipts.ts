import { fieldsOf } from '../http/api-client.ts';
import { expect, type Session, say, until } from './session.ts';

/** Who has read what: receipts, a private read, marking unread, and the inbox. */
export async function playReceipts(session: Session): Promise<void> {
  const { run } = session;
  const [a, b, c, d] = [`A-${run}`, `B-${run}`, `C-${run}`, `D-${run}`];
  const groupId = `demo-receipts-${run}`;
  const group = `/v1/groups/${groupId}`;
  const counts = async () => {
    const { audience, readCount, deliveredCount } = await session.as(
      a,
      'GET',
      `${group}/messages/2/receipts`,
    );
    return { audience, readCount, deliveredCount };
  };
  const list = async (state: string) => {
    const { members } = await session.as(a, 'GET', `${group}/messages/2/receipts?state=${state}`);
    return (members as { userId: string }[]).map(({ userId }) => userId);
  };

  say(`\nWho has read what (${groupId})`);
  await session.asService('POST', `${group}/members`, { userIds: [a, b, c] });
  for (const messageId of ['1', '2']) {
    await session.asService('POST', `${group}/messages`, { messageId, senderId: a });
  }
  await session.asService('PUT', `${group}/members/${d}`);
  say('  A sends 1 and 2 to B and C; after that D joins.');
  expect(await counts(), { audience: 2, readCount: 0, deliveredCount: 0 }, 'Nobody of 2 has read message 2.');

  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '2' });
  await session.as(c, 'PUT', `${group}/delivered`, { messageId: '2' });
  say('  B reads 2. C receives it.');
  expect(
    await counts(),
    { audience: 2, readCount: 1, deliveredCount: 2 },
    'Read by 1 of 2, delivered to both: D came later and does not count.',
  );
  expect(
    [await list('read'), await list('unread')],
    [[b], [c]],
    'The list of readers has B, and the other list has C.',
  );

  await session.as(c, 'PUT', `${group}/watermark`, { messageId: '2', private: true });
  say('  C reads 2 privately.');
  expect(
    (await session.as(c, 'GET', `${group}/watermark`)).unread,
    { count: 0, mentions: 0, firstId: null, exact: true },
    'C has nothing unread,',
  );
  expect(await counts(), { audience: 2, readCount: 1, deliveredCount: 2 }, 'and nobody else can see it.');

  const { revision } = await session.as(b, 'POST', `${group}/unread`, { messageId: '2' });
  say('  B marks 2 unread, to come back to it.');
  expect(revision, 1, 'B’s own view has a new revision,');
  expect(await counts(), { audience: 2, readCount: 1, deliveredCount: 2 }, 'and the receipt stays.');
  const late = await session.client.asUser(b, 'PUT', `${group}/watermark`, { messageId: '2', ifRevision: 0 });
  expect(
    [late.status, fieldsOf(late).code, fieldsOf(late).revision],
    [409, 'revision_conflict', 1],
    'A late mark of another device of B does not undo it.',
  );

  await session.as(a, 'POST', '/v1/watermarks', { marks: [{ groupId, messageId: '2' }] });
  const { groups } = await session.as(b, 'GET', '/v1/inbox?unreadOnly=true');
  const mine = (groups as { groupId: string; messageId: string; unread: unknown }[])
    .filter((entry) => entry.groupId === groupId)
    .map(({ messageId, unread }) => ({ messageId, unread }));
  expect(
    mine,
    [{ messageId: '1', unread: { count: 1, mentions: 0, firstId: '2', exact: true } }],
    'B’s inbox shows the group with 1 unread message.',
  );

  await session.as(c, 'PUT', `${group}/watermark`, { messageId: '2' });
  say('  C reads 2 publicly.');
  const { receipts } = await session.as(a, 'POST', `${group}/receipts`, { messageIds: ['1', '2'] });
  expect(
    (receipts as { readByAll: boolean }[]).map(({ readByAll }) => readByAll),
    [true, true],
    'Both messages are read by all.',
  );
  const fullyRead = async () => {
    const events = await session.client.eventsOf(groupId, 'GroupFullyRead');
    return events.some(({ detail }) => detail.upTo === '2');
  };
  await until(fullyRead, 'the event of everyone having read 2');
  say('  ✓ An event was published: everyone has read up to 2.');
}
