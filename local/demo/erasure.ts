import { expect, type Session, say, until } from './session.ts';

/** A group that is deleted and begins again, and a user of whom nothing is left. */
export async function playErasure(session: Session): Promise<void> {
  const { run, client } = session;
  const [a, b] = [`A-${run}`, `B-${run}`];
  const groupId = `demo-erasure-${run}`;
  const group = `/v1/groups/${groupId}`;
  const unreadOf = async (user: string) => (await session.as(user, 'GET', `${group}/watermark`)).unread;
  const isPublished = async (type: string, name: 'groupId' | 'userId', id: string) =>
    (await client.events()).some((event) => event['detail-type'] === type && event.detail[name] === id);

  say(`\nDeletion and erasure (${groupId})`);
  // B is also in the groups of the other parts. What is unread there would count in the badge.
  await session.as(b, 'POST', '/v1/watermarks/all', {});
  await session.asService('POST', `${group}/members`, { userIds: [a, b] });
  await session.asService('POST', `${group}/messages`, { messageId: '18446744073709551615', senderId: a });
  say('  By mistake, A’s first message gets the largest id of all: no later message could be above it.');
  expect((await session.as(b, 'GET', '/v1/badge')).messages, 1, 'B’s badge counts it.');
  await session.asService('DELETE', group);
  const { status } = await client.asUser(b, 'GET', `${group}/watermark`);
  expect(status, 404, 'The back end deletes the group. At once B is not in it any more,');
  expect((await session.as(b, 'GET', '/v1/badge')).messages, 0, 'and B’s badge counts nothing.');

  await session.asService('POST', `${group}/members`, { userIds: [a, b] });
  await session.asService('POST', `${group}/messages`, { messageId: '1', senderId: a });
  expect(
    await unreadOf(b),
    { count: 1, mentions: 0, firstId: '1', exact: true },
    'The group begins again with message 1, which is unread for B.',
  );
  await until(() => isPublished('GroupDeleted', 'groupId', groupId), 'the event of the deleted group');
  say('  ✓ An event was published: nothing is left of the group as it was before.');

  const groupsOf = async (user: string) => {
    const { memberships } = await session.asService('GET', `/v1/users/${user}/export`);
    return memberships;
  };
  const names = (memberships: unknown) =>
    Array.isArray(memberships) ? memberships.map(({ groupId: id }: { groupId: string }) => id) : memberships;
  expect(
    JSON.stringify(names(await groupsOf(b))).includes(groupId),
    true,
    'B asks for all that is stored of B: the group is there, with what B has read.',
  );
  await session.asService('DELETE', `/v1/users/${b}`);
  await until(() => isPublished('UserErased', 'userId', b), 'the event of the erased user');
  expect(names(await groupsOf(b)), [], 'B is erased: an event was published, and nothing is stored of B.');
}
