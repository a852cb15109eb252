import { afterEach, describe, expect, test } from '@jest/globals';
import { createUserApi } from '../../client/src/api.ts';
import { createServiceApi } from '../../client/src/service.ts';
import { createTidemark, type Tidemark } from '../../client/src/tidemark.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { withStack } from '../support/running-stack.ts';

const running = withStack();

const open: Tidemark[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

const service = () =>
  createServiceApi({ url: running.description.apiUrl, token: () => running.serviceToken() });
const apiOf = (userId: string) =>
  createUserApi({ url: running.description.apiUrl, token: () => running.userToken(userId) });

/** A user of one's own on a device that listens. */
function deviceOf(userId: string, options: object = {}): Tidemark {
  const { apiUrl, wsUrl } = running.description;
  const client = createTidemark({
    url: apiUrl,
    wsUrl: wsUrl ?? undefined,
    userId,
    token: () => running.userToken(userId),
    ...options,
  });
  client.subscribe(() => undefined);
  open.push(client);
  return client;
}

/** A group in which the sender has sent 1 to 3, and the reader is a member. */
async function openGroup() {
  const [groupId, sender, reader] = [freshPrefix(), freshPrefix('sender'), freshPrefix('reader')];
  await service().addMembers({ groupId, userIds: [sender, reader] });
  for (const messageId of ['1', '2', '3'])
    await service().recordMessage({ groupId, messageId, senderId: sender });
  return { groupId, sender, reader };
}

const isLive = (client: Tidemark) => eventually(() => expect(client.getSnapshot().connection).toBe('live'));
const unreadOf = (client: Tidemark, groupId: string) => client.getSnapshot().views.get(groupId)?.unread.count;

describe('live', () => {
  test('the state is there after the connect', async () => {
    const { groupId, reader } = await openGroup();
    const client = deviceOf(reader);
    await isLive(client);
    expect(client.getSnapshot().views.get(groupId)).toEqual({
      groupId,
      messageId: null,
      revision: 0,
      head: '3',
      unread: { count: 3, mentions: 0, firstId: '1', exact: true },
      ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
      preferencesRevision: 0,
    });
    expect(client.getSnapshot().badge).toEqual({ groups: 1, messages: 3, mentions: 0, exact: true });
  });

  test('reading and marking unread on one device arrive on the other', async () => {
    const { groupId, reader } = await openGroup();
    const [here, there] = [deviceOf(reader), deviceOf(reader)];
    await Promise.all([isLive(here), isLive(there)]);
    here.tracker(groupId).shown('3');
    await eventually(() => expect(unreadOf(there, groupId)).toBe(0));
    await here.tracker(groupId).markUnread('2');
    await eventually(() => expect(unreadOf(there, groupId)).toBe(2));
    expect(there.getSnapshot().views.get(groupId)).toEqual(here.getSnapshot().views.get(groupId));
  });

  test('a sender sees receipts grow', async () => {
    const { groupId, sender, reader } = await openGroup();
    const client = deviceOf(sender);
    client.subscribe(() => undefined, { groupId, messageIds: ['2', '3'] });
    const readCounts = () =>
      [...(client.getSnapshot().receipts.get(groupId)?.values() ?? [])].map((one) => one.readCount);
    await isLive(client);
    await eventually(() => expect(readCounts()).toEqual([0, 0]));
    await apiOf(reader).markRead({ groupId, messageId: '2' });
    await eventually(() => expect(readCounts()).toEqual([1, 0]));
    await apiOf(reader).markRead({ groupId, messageId: '3' });
    await eventually(() => expect(readCounts()).toEqual([1, 1]));
  });

  test('a group with nothing unread is known where somebody shows it, and forgotten after leaving', async () => {
    const { groupId, sender } = await openGroup();
    const client = deviceOf(sender);
    await isLive(client);
    client.subscribe(() => undefined, { groupId });
    await eventually(() => expect(client.getSnapshot().views.get(groupId)).toMatchObject({ messageId: '3' }));
    await service().removeMember({ groupId, userId: sender });
    const later = deviceOf(sender);
    later.subscribe(() => undefined, { groupId });
    await isLive(later);
    await expect(apiOf(sender).getWatermark({ groupId })).rejects.toMatchObject({ code: 'not_found' });
    expect(later.getSnapshot().views.size).toBe(0);
  });

  test('a noted message raises the badge, and the next view has the same count', async () => {
    const { groupId, sender, reader } = await openGroup();
    const client = deviceOf(reader);
    await isLive(client);
    await service().recordMessage({ groupId, messageId: '4', senderId: sender });
    client.noteMessage(groupId, '4', { senderId: sender });
    expect(unreadOf(client, groupId)).toBe(4);
    client.tracker(groupId).shown('2');
    await eventually(() => expect(unreadOf(client, groupId)).toBe(2));
    await eventually(() =>
      expect(client.getSnapshot().views.get(groupId)).toMatchObject({ messageId: '2', head: '4' }),
    );
    expect(unreadOf(client, groupId)).toBe(2);
  });

  test('a thread has its parent, and mentions and silent messages count as the service counts them', async () => {
    const { groupId, sender, reader } = await openGroup();
    await service().setGroup({ groupId, parentId: 'hall' });
    const client = deviceOf(reader);
    await isLive(client);
    const messages = [
      { groupId, messageId: '4', senderId: sender, mentions: [reader] },
      { groupId, messageId: '5', senderId: sender, mentions: 'all' as const },
      { groupId, messageId: '6', senderId: sender, silent: true, mentions: 'all' as const },
    ];
    await service().recordMessages({ messages });
    for (const { messageId, ...message } of messages) client.noteMessage(groupId, messageId, message);
    const noted = { count: 5, mentions: 2, firstId: '1', exact: true };
    expect(client.getSnapshot().views.get(groupId)).toMatchObject({ parentId: 'hall', unread: noted });
    expect(client.getSnapshot().badge).toEqual({ groups: 1, messages: 5, mentions: 2, exact: true });
    expect(await apiOf(reader).getBadge({})).toEqual(client.getSnapshot().badge);
    client.tracker(groupId).shown('4');
    await eventually(() =>
      expect(client.getSnapshot().views.get(groupId)).toMatchObject({
        messageId: '4',
        head: '6',
        unread: { count: 1, mentions: 1, firstId: '5', exact: true },
      }),
    );
  });

  test('a mute and the archive are the same on both devices, and the badge follows', async () => {
    const { groupId, sender, reader } = await openGroup();
    const [here, there] = [deviceOf(reader), deviceOf(reader)];
    await Promise.all([isLive(here), isLive(there)]);
    const nothing = { groups: 0, messages: 0, mentions: 0, exact: true };
    const three = { groups: 1, messages: 3, mentions: 0, exact: true };
    await here.api.setPreferences({ groupId, mutedUntil: new Date(Date.now() + 3_600_000).toISOString() });
    expect(here.getSnapshot().badge).toEqual(nothing);
    await eventually(() => expect(there.getSnapshot().badge).toEqual(nothing));
    await there.api.setPreferences({ groupId, mutedUntil: null });
    expect(there.getSnapshot().badge).toEqual(three);
    await eventually(() => expect(here.getSnapshot().badge).toEqual(three));
    await here.api.setPreferences({ groupId, archive: 'untilNew' });
    await eventually(() => expect(there.getSnapshot().badge).toEqual(nothing));
    const archived = { archive: 'untilNew', archived: true };
    expect(here.getSnapshot().views.get(groupId)).toMatchObject(archived);
    expect((await apiOf(reader).getInbox({ archived: true })).groups).toMatchObject([
      { groupId, ...archived },
    ]);
    await service().recordMessage({ groupId, messageId: '4', senderId: sender });
    there.noteMessage(groupId, '4', { senderId: sender });
    expect(there.getSnapshot().badge).toEqual({ groups: 1, messages: 4, mentions: 0, exact: true });
    await there.api.markAll({});
    await eventually(() => expect(unreadOf(here, groupId)).toBe(0));
  });

  test('with hidden receipts, a read reaches the own devices, and no receipts reach the sender', async () => {
    const { groupId, sender, reader } = await openGroup();
    const [here, there, ofSender] = [deviceOf(reader), deviceOf(reader), deviceOf(sender)];
    ofSender.subscribe(() => undefined, { groupId, messageIds: ['1', '3'] });
    const counts = () =>
      [...(ofSender.getSnapshot().receipts.get(groupId)?.values() ?? [])].map(
        ({ readCount, deliveredCount }) => [readCount, deliveredCount],
      );
    await Promise.all([isLive(here), isLive(there), isLive(ofSender)]);
    await eventually(() => expect(counts()).toHaveLength(2));
    await here.api.setPreferences({ groupId, hideReceipts: true });
    here.tracker(groupId).shown('3');
    await eventually(() => expect(unreadOf(there, groupId)).toBe(0));
    // What the sender gets now is of this public mark: anything of the read would have come before it.
    await apiOf(reader).markDelivered({ groupId, messageId: '1' });
    await eventually(() =>
      expect(counts()).toEqual([
        [0, 1],
        [0, 0],
      ]),
    );
  });

  test.each([
    ['over the WebSocket API', {}],
    ['in the inbox', { wsUrl: undefined }],
  ])(
    'a refresh %s brings what is left after a deletion, and after leaving and joining',
    async (_way, options) => {
      const { groupId, sender, reader } = await openGroup();
      const client = deviceOf(reader, options);
      const nothing = { groups: 0, messages: 0, mentions: 0, exact: true };
      /** After a refresh, the badge is this one and the service's. */
      async function refreshed(badge: object): Promise<void> {
        client.refresh(groupId);
        await eventually(() => expect(client.getSnapshot().badge).toEqual(badge));
        expect(await apiOf(reader).getBadge()).toEqual(badge);
      }
      await eventually(() => expect(unreadOf(client, groupId)).toBe(3));

      await service().recordMessage({ groupId, messageId: '4', senderId: sender });
      client.noteMessage(groupId, '4', { senderId: sender });
      await service().deleteMessage({ groupId, messageId: '4' });
      await service().deleteMessage({ groupId, messageId: '2' });
      await refreshed({ ...nothing, groups: 1, messages: 2 });

      await apiOf(reader).markRead({ groupId, messageId: '1' });
      await refreshed({ ...nothing, groups: 1, messages: 1 });
      await service().removeMember({ groupId, userId: reader });
      await refreshed(nothing);
      await service().addMember({ groupId, userId: reader, joinedAfter: null });
      await refreshed({ ...nothing, groups: 1, messages: 2 });

      await service().deleteGroup({ groupId });
      await refreshed(nothing);
      await service().addMembers({ groupId, userIds: [sender, reader] });
      await service().recordMessage({ groupId, messageId: '1', senderId: sender });
      await refreshed({ ...nothing, groups: 1, messages: 1 });

      await apiOf(reader).markRead({ groupId, messageId: '1' });
      await refreshed(nothing);
      await service().deleteGroup({ groupId });
      await service().addMembers({ groupId, userIds: [sender, reader] });
      await service().recordMessage({ groupId, messageId: '1', senderId: sender });
      await refreshed({ ...nothing, groups: 1, messages: 1 });
    },
  );

  test('a connection that is cut comes back with what was missed', async () => {
    const { groupId, reader } = await openGroup();
    const sockets: WebSocket[] = [];
    class Watched extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    const client = deviceOf(reader, { WebSocket: Watched });
    await isLive(client);
    sockets[0]?.close();
    await eventually(() => expect(client.getSnapshot().connection).toBe('connecting'));
    await apiOf(reader).markRead({ groupId, messageId: '2' });
    await isLive(client);
    expect(unreadOf(client, groupId)).toBe(1);
    expect(sockets).toHaveLength(2);
  });

  test('a token that is refused is replaced', async () => {
    const { groupId, reader } = await openGroup();
    const asked: (string | undefined)[] = [];
    const client = deviceOf(reader, {
      token: (refused?: string) => {
        asked.push(refused);
        return asked.includes('not-a-token') ? running.userToken(reader) : 'not-a-token';
      },
    });
    await eventually(() => expect(client.getSnapshot().connection).toBe('live'));
    expect(unreadOf(client, groupId)).toBe(3);
  });
});
