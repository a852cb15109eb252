import { expect, type Session, say } from './session.ts';

const HOUR_MS = 3_600_000;

/** What a member wants of a group: mentions, the first unread message, mute, archive, hidden receipts, and threads. */
export async function playPreferences(session: Session): Promise<void> {
  const { run } = session;
  const [a, b] = [`A-${run}`, `B-${run}`];
  const groupId = `demo-preferences-${run}`;
  const group = `/v1/groups/${groupId}`;
  const members = { userIds: [a, b] };
  const send = (messageId: string, more: object = {}, to = group) =>
    session.asService('POST', `${to}/messages`, { messageId, senderId: a, ...more });
  const unreadOfB = async () => (await session.as(b, 'GET', `${group}/watermark`)).unread;
  // B is also in the groups of the other parts. What is unread there would count in the badge.
  await session.as(b, 'POST', '/v1/watermarks/all', {});
  const badgeOfB = () => session.as(b, 'GET', '/v1/badge');
  const wants = (preferences: object) => session.as(b, 'PATCH', `${group}/preferences`, preferences);
  const inboxOfB = async (query: string) => {
    const { groups } = await session.as(b, 'GET', `/v1/inbox${query}`);
    return (groups as { groupId: string }[])
      .map((entry) => entry.groupId)
      .filter((id) => id.startsWith(groupId));
  };
  const readCount = async (messageId: string) =>
    (await session.as(a, 'GET', `${group}/messages/${messageId}/receipts`)).readCount;

  say(`\nWhat B wants of a group (${groupId})`);
  await session.asService('POST', `${group}/members`, members);
  await send('1');
  await send('2', { mentions: [b] });
  await send('3', { mentions: 'all' });
  say('  A sends 1, 2, which mentions B, and 3, which mentions all.');
  expect(
    await unreadOfB(),
    { count: 3, mentions: 2, firstId: '1', exact: true },
    'B has 3 unread messages, 2 of them mention B, and the first is 1.',
  );
  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '1' });
  expect(
    await unreadOfB(),
    { count: 2, mentions: 2, firstId: '2', exact: true },
    'B reads 1: now the line “new messages” is above 2.',
  );

  expect(
    await badgeOfB(),
    { groups: 1, messages: 2, mentions: 2, exact: true },
    'B’s badge shows 2, both mention B.',
  );
  await wants({ mutedUntil: new Date(Date.now() + HOUR_MS).toISOString() });
  say('  B mutes the group for an hour.');
  expect(await badgeOfB(), { groups: 0, messages: 0, mentions: 0, exact: true }, 'B’s badge is empty,');
  expect(
    await unreadOfB(),
    { count: 2, mentions: 2, firstId: '2', exact: true },
    'and in the group itself nothing has become read.',
  );
  await wants({ mutedUntil: null, notify: 'mentions' });
  await send('4');
  say('  B unmutes the group, and wants to be notified of mentions only. A sends 4, which mentions nobody.');
  expect(
    await badgeOfB(),
    { groups: 1, messages: 2, mentions: 2, exact: true },
    'B’s badge counts the 2 mentions, and not 4.',
  );

  await wants({ notify: 'all', archive: 'untilNew' });
  say('  B wants to be notified of everything again, and archives the group until a new message comes.');
  expect(
    [await inboxOfB(''), await inboxOfB('?archived=true')],
    [[], [groupId]],
    'B’s inbox is without the group; the archive has it.',
  );
  expect(await badgeOfB(), { groups: 0, messages: 0, mentions: 0, exact: true }, 'The badge is empty again.');
  await send('5');
  say('  A sends 5.');
  expect([await inboxOfB(''), await inboxOfB('?archived=true')], [[groupId], []], 'The group has come back,');
  expect(
    await badgeOfB(),
    { groups: 1, messages: 4, mentions: 2, exact: true },
    'and everything that is unread counts.',
  );

  await wants({ hideReceipts: true });
  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '5' });
  say('  B hides the receipts, and reads 5.');
  expect(await unreadOfB(), { count: 0, mentions: 0, firstId: null, exact: true }, 'B has nothing unread,');
  expect(await readCount('5'), 0, 'and A cannot see it.');
  await wants({ hideReceipts: false });
  expect(await readCount('5'), 0, 'B shows receipts again: what was read before stays hidden');
  await session.as(b, 'PUT', `${group}/watermark`, { messageId: '5' });
  expect(await readCount('5'), 1, 'until B’s next mark.');

  const threadId = `${groupId}.5`;
  const thread = `/v1/groups/${threadId}`;
  await session.asService('PUT', thread, { parentId: groupId });
  await session.asService('POST', `${thread}/members`, members);
  await send('6', {}, thread);
  say(`  A answers 5 in a thread: a group of its own, ${threadId}, whose parent is the group.`);
  expect(
    [await inboxOfB(`?parentId=${groupId}`), (await badgeOfB()).messages],
    [[threadId], 1],
    'B’s inbox lists the threads of the group, and this one has an unread message.',
  );
  const { results } = await session.as(b, 'POST', '/v1/watermarks/all', { parentId: groupId });
  expect(
    (results as { groupId: string; outcome: string }[]).map((result) => [result.groupId, result.outcome]),
    [[threadId, 'advanced']],
    'B marks all threads of the group read with one call.',
  );
}
