import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { type Connection, Connections } from '../../../shared/ledger/connections.ts';
import { openConnection } from '../../../shared/live/connect.ts';
import { sync } from '../../../shared/live/sync.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { freshPrefix } from '../../support/engines.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { openLive, type TestLive } from '../../support/live.ts';
import { at } from '../../support/positions.ts';
import { KeptLetters } from '../../support/stream-records.ts';
import { openTableStream } from '../../support/table-stream.ts';
import { aGroup, aUser } from '../../support/tidemark.ts';

let live: TestLive;
beforeAll(async () => {
  live = await openLive();
});
afterAll(() => live.close());

const HOUR_MS = 3_600_000;

const connectionAt = (connectedAtMs: number): Connection => ({
  connectionId: freshPrefix('c'),
  connectedAtMs,
  tokenExpiresAtMs: Date.now() + HOUR_MS,
});

const idsOf = async (userId: UserId) =>
  (await live.connections.ofUser(userId, Date.now())).map(({ connectionId }) => connectionId);

describe('the connections of a user', () => {
  test('are found by one query, the oldest first, and are gone when they are removed', async () => {
    const [user, other] = [aUser(), aUser()];
    const now = Date.now();
    const [newer, older] = [connectionAt(now), connectionAt(now - 1)];
    for (const connection of [newer, older]) await live.connections.add(user, connection);
    await live.connections.add(other, connectionAt(now));
    expect(await live.connections.ofUser(user, now)).toEqual([older, newer]);
    await live.connections.remove(user, older.connectionId);
    await live.connections.remove(user, 'unknown');
    expect(await live.connections.ofUser(user, now)).toEqual([newer]);
  });

  test('expire a while after the two hours that a connection lasts at most', async () => {
    const user = aUser();
    const connection = connectionAt(1_800_000_000_000);
    await live.connections.add(user, connection);
    const { Item } = await live.table.client.send(
      new GetItemCommand({
        TableName: live.tidemark.tableName,
        Key: { PK: { S: `USER#${user}` }, SK: { S: `CONN#${connection.connectionId}` } },
      }),
    );
    expect(Item).toEqual({
      PK: { S: `USER#${user}` },
      SK: { S: `CONN#${connection.connectionId}` },
      kind: { S: 'connection' },
      connectionId: { S: connection.connectionId },
      connectedAt: { N: '1800000000000' },
      tokenExpiresAt: { N: String(connection.tokenExpiresAtMs) },
      // 2 h 10 min
      expiresAt: { N: '1800007800' },
    });
    // DynamoDB may take days to remove it.
    expect(await live.connections.ofUser(user, 1_800_007_799_999)).toHaveLength(1);
    expect(await live.connections.ofUser(user, 1_800_007_800_000)).toEqual([]);
  });
});

describe('opening a connection', () => {
  test('closes the oldest at the 21st', async () => {
    const user = aUser();
    live.closed.length = 0;
    const now = Date.now();
    const all = Array.from({ length: 21 }, (_, index) => connectionAt(now + index));
    for (const connection of all) expect(await openConnection(live, user, connection)).toBe('open');
    expect(live.closed).toEqual([all[0]?.connectionId]);
    expect(await idsOf(user)).toEqual(all.slice(1).map(({ connectionId }) => connectionId));
  });

  test('a thousand, fifty at once, leave 20 of them', async () => {
    const user = aUser();
    const now = Date.now();
    const all = Array.from({ length: 1_000 }, (_, index) => connectionAt(now + index));
    const outcomes: (readonly [connectionId: string, 'open' | 'too-many'])[] = [];
    let most = 0;
    for (let start = 0; start < all.length; start += 50) {
      const opening = all.slice(start, start + 50).map(async (connection) => {
        return [connection.connectionId, await openConnection(live, user, connection)] as const;
      });
      outcomes.push(...(await Promise.all(opening)));
      most = Math.max(most, (await idsOf(user)).length);
    }
    expect(most).toBe(20);
    const left = await idsOf(user);
    expect(left).toEqual(all.slice(-20).map(({ connectionId }) => connectionId));
    const open = outcomes.filter(([, outcome]) => outcome === 'open').map(([id]) => id);
    expect(open).toEqual(expect.arrayContaining(left));
    // Each other one was refused, or opened and closed again by a later one.
    const closedOrOpen = new Set([...live.closed, ...left]);
    expect(open.filter((id) => !closedOrOpen.has(String(id)))).toEqual([]);
  });
});

describe('every other reader of the table', () => {
  test('passes connections over: the inbox, the projector, the publisher', async () => {
    const [groupId, alice, bob] = [aGroup(), aUser('alice'), aUser('bob')];
    const stream = await openTableStream(live.tidemark.tableName);
    await live.connections.add(bob, connectionAt(Date.now()));
    await addMembers(live.tidemark, groupId, [alice, bob]);
    await recordMessage(live.tidemark, { groupId, position: at(1), senderId: alice });
    await live.connections.remove(bob, (await idsOf(bob))[0] ?? '');
    await live.connections.add(bob, connectionAt(Date.now()));

    const inbox = await readInbox(live.tidemark, bob, { unreadOnly: false, limit: 10, after: null });
    expect(inbox).toMatchObject({ groups: [{ groupId }], next: null });
    const members = await live.tidemark.ledger.memberships.page(groupId, 10, null);
    expect(members.members.map(({ userId }) => userId)).toEqual([alice, bob].sort());

    // DynamoDB Local also records the removal of what is not there, without an item. DynamoDB does not.
    const records = (await stream.take()).filter(({ before, after }) => before ?? after);
    stream.close();
    const kinds = records.map(({ before, after }) => (after ?? before)?.kind?.S);
    expect(kinds.filter((kind) => kind === 'connection').length).toBeGreaterThanOrEqual(3);
    const letters = new KeptLetters();
    const deadLetters = new DeadLetters(letters);
    const published = new RecentRecords(100);
    const publisher = { publish: async () => [] };
    expect(await publishMoves({ publisher, deadLetters, published }, records)).toEqual([]);
    const projection = {
      tidemark: live.tidemark,
      publisher: null,
      deadLetters,
      published,
      erasures: NO_ERASURES,
    };
    expect(await project(projection, records)).toEqual([]);
    expect(letters.messages).toEqual([]);
  });
});

describe('sync', () => {
  const aDevice = (userId: UserId) => ({ ...connectionAt(Date.now()), userId });

  test('has the views of the groups that are named, without those that the user is not in', async () => {
    const [one, other, foreign] = [aGroup(), aGroup(), aGroup()];
    const [alice, bob] = [aUser('alice'), aUser('bob')];
    for (const groupId of [one, other]) await addMembers(live.tidemark, groupId, [alice, bob]);
    await addMembers(live.tidemark, foreign, [alice]);
    for (const groupId of [one, foreign]) {
      await recordMessage(live.tidemark, { groupId, position: at(7), senderId: alice });
    }
    const { views, ...rest } = await sync(live, live.table, aDevice(bob), [one, other, foreign, one]);
    expect(rest).toEqual({ type: 'synced', asOf: expect.any(Number), complete: true });
    expect(views).toHaveLength(2);
    const place = {
      ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
      preferencesRevision: 0,
    };
    expect(views).toEqual(
      expect.arrayContaining([
        {
          groupId: one,
          messageId: null,
          revision: 0,
          head: '7',
          unread: { count: 1, mentions: 0, firstId: '7', exact: true },
          ...place,
        },
        {
          groupId: other,
          messageId: null,
          revision: 0,
          head: null,
          unread: { count: 0, mentions: 0, firstId: null, exact: true },
          ...place,
        },
      ]),
    );
  });

  test('of 100 groups costs one read of the ledger for the memberships', async () => {
    const bob = aUser('bob');
    const groups = Array.from({ length: 5 }, aGroup);
    for (const groupId of groups) await addMembers(live.tidemark, groupId, [bob]);
    await sync(live, live.table, aDevice(bob), groups);
    live.tidemark.takeCalls();
    await sync(live, live.table, aDevice(bob), groups);
    // The memberships come by the connection of the test itself, which does not count.
    expect(live.tidemark.takeCalls()).toEqual(['cache']);
  });

  test('without groups has those with something unread', async () => {
    const [unread, read] = [aGroup(), aGroup()];
    const [alice, bob] = [aUser('alice'), aUser('bob')];
    for (const groupId of [unread, read]) {
      await addMembers(live.tidemark, groupId, [alice, bob]);
      await recordMessage(live.tidemark, { groupId, position: at(1), senderId: alice });
    }
    await markRead(live.tidemark, { groupId: read, userId: bob }, at(1));
    const synced = await sync(live, live.table, aDevice(bob), null);
    expect(synced.views.map(({ groupId }) => groupId)).toEqual([unread]);
    expect(synced.complete).toBe(true);
  });

  test('has as many as one frame takes, and says that there are more', async () => {
    const [alice, bob] = [aUser('alice'), aUser('bob')];
    const long = freshPrefix('g').padEnd(125, 'x');
    const groups = Array.from({ length: 150 }, (_, index) => `${long}${100 + index}` as GroupId);
    await inParallel(groups, 10, async (groupId) => {
      await addMembers(live.tidemark, groupId, [alice, bob]);
      await recordMessage(live.tidemark, { groupId, position: at('9999999999999999999'), senderId: alice });
    });
    const synced = await sync(live, live.table, aDevice(bob), null);
    expect(synced.complete).toBe(false);
    expect(synced.views.length).toBeGreaterThan(75);
    expect(Buffer.byteLength(JSON.stringify({ ...synced, ref: 'r'.repeat(64) }))).toBeLessThanOrEqual(32_768);
  });

  test('notes that the user is connected, since the note of the connect may be lost', async () => {
    const bob = aUser('bob');
    await sync(live, live.table, aDevice(bob), []);
    expect(Number(await live.tidemark.redis.zscore('tm:online', bob))).toBeGreaterThan(Date.now());
  });
});

test('a reader of connections leaves out those that cannot be read', async () => {
  const user = aUser();
  const good = connectionAt(Date.now());
  await live.connections.add(user, good);
  await live.table.update({
    key: { PK: { S: `USER#${user}` }, SK: { S: 'CONN#broken' } },
    set: { kind: { S: 'connection' }, connectionId: { S: 'broken' } },
    conditions: [],
  });
  const reading = new Connections(live.table);
  expect(await reading.ofUser(user, Date.now())).toEqual([good]);
});
