import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { advance, type MembershipState } from '../../../shared/domain/membership.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers, applyJoin, listMembers, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { connectDynamoDb, eventually } from '../../support/engines.ts';
import { beginErasure, openErasures, type TestErasures } from '../../support/erasures.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser } from '../../support/tidemark.ts';

let service: TestErasures;
beforeAll(async () => {
  service = await openErasures();
});
afterAll(() => service.close());
beforeEach(() => {
  service.jobs.length = 0;
  service.aheadMs = 0;
  service.isCacheDown = false;
});

/** The service by the erasure's clock. */
const tidemark = () => ({ ...service.live.tidemark, nowMs: service.nowMs });

interface Chat {
  readonly ann: UserId;
  readonly bob: UserId;
  readonly tea: GroupId;
  readonly hall: GroupId;
}

/**
 * Ann and Bob are in two groups. Ann has sent three messages to one of them, of which she has read all and Bob has read none.
 * Bob has left a third group, and is connected. The cache knows all of it.
 */
async function aChat(): Promise<Chat> {
  const [ann, bob] = [aUser('ann'), aUser('bob')];
  const [tea, hall, former] = [aGroup(), aGroup(), aGroup()];
  for (const groupId of [tea, hall]) await addMembers(tidemark(), groupId, [ann, bob]);
  await addMembers(tidemark(), former, [bob]);
  await removeMember(tidemark(), { groupId: former, userId: bob });
  for (const id of [1, 2, 3]) {
    await recordMessage(tidemark(), { groupId: tea, position: at(id), senderId: ann });
  }
  await service.live.connect(bob);
  await countReceipts(tidemark(), { groupId: tea, userId: ann }, [at(3)]);
  await service.followStream();
  service.events.length = 0;
  return { ann, bob, tea, hall };
}

const membersOf = async (groupId: GroupId) =>
  (await listMembers(tidemark(), groupId, 100, null)).members.map(({ userId }) => userId);

const erasedEvents = () => service.events.filter(({ type }) => type === 'UserErased');

describe('an erasure', () => {
  test('leaves nothing of the user, and ends with one event', async () => {
    const { ann, bob, tea, hall } = await aChat();
    const connections = await service.live.connections.ofUser(bob, service.nowMs());
    expect(await service.keysWith(bob)).not.toEqual([]);
    await beginErasure(service, bob);
    await service.followStream();
    await service.workOnce();
    await service.followStream();
    // At once: Bob is no member any more, and everyone has read what he had not.
    expect(await markRead(tidemark(), { groupId: tea, userId: bob }, at(3))).toBeNull();
    expect(service.events).toEqual([{ type: 'GroupFullyRead', groupId: tea, upTo: '3' }]);
    expect(service.live.closed).toEqual(expect.arrayContaining(connections.map((one) => one.connectionId)));
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([]);
    expect(await service.keysWith(bob)).toEqual([]);
    expect(erasedEvents()).toEqual([{ type: 'UserErased', userId: bob }]);
    await eventually(async () => expect(await membersOf(tea)).toEqual([ann]));
    expect(await membersOf(hall)).toEqual([ann]);
  });

  test('of a user of whom nothing is stored ends at once', async () => {
    const nobody = aUser('nobody');
    service.events.length = 0;
    await beginErasure(service, nobody);
    await service.finish();
    expect(await service.itemsWith(nobody)).toEqual([]);
    expect(erasedEvents()).toEqual([{ type: 'UserErased', userId: nobody }]);
  });

  test('leaves what the messages of others and the own messages name until they expire', async () => {
    const { ann, bob, tea } = await aChat();
    await recordMessage(tidemark(), { groupId: tea, position: at(4), senderId: bob });
    await recordMessage(tidemark(), { groupId: tea, position: at(5), senderId: ann, mentions: [bob] });
    await beginErasure(service, bob);
    await service.finish();
    const message = (id: string) => `GROUP#${tea} MSG#${id.padStart(20, '0')}`;
    expect((await service.itemsWith(bob)).sort()).toEqual([message('4'), message('5')]);
    expect(await service.keysWith(bob)).toEqual([`tm:{${tea}}:messages`]);
  });

  test('erases items that cannot be read too', async () => {
    const { bob, tea, hall } = await aChat();
    const client = connectDynamoDb();
    const put = (SK: string, item: Record<string, { S: string }>) =>
      client.send(
        new PutItemCommand({
          TableName: service.live.tidemark.tableName,
          Item: { PK: { S: `USER#${bob}` }, SK: { S: SK }, ...item },
        }),
      );
    // The cache still has the membership as it was.
    await put(`GROUP#${tea}`, {
      ...{ kind: { S: 'membership' }, groupId: { S: tea }, userId: { S: bob } },
      self: { S: 'broken' },
    });
    await put(`GROUP#${hall}`, { kind: { S: 'membership' } });
    await put('NEW#1', { kind: { S: 'newer' } });
    client.destroy();
    await beginErasure(service, bob);
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([]);
    expect(await service.keysWith(bob)).toEqual([]);
    expect(erasedEvents()).toHaveLength(1);
  });
});

describe('a cache that was down', () => {
  beforeEach(() => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('keeps an erasure from ending until it answers', async () => {
    const { bob } = await aChat();
    service.isCacheDown = true;
    await beginErasure(service, bob);
    await service.followStream();
    for (let tries = 0; tries < 3; tries += 1) {
      service.aheadMs += (service.jobs[0]?.[1] ?? 0) * 1_000;
      await service.workOnce().catch(() => undefined);
    }
    expect(service.jobs).toHaveLength(1);
    await service.followStream();
    expect(erasedEvents()).toEqual([]);
    service.isCacheDown = false;
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([]);
    expect(await service.keysWith(bob)).toEqual([]);
    expect(erasedEvents()).toEqual([{ type: 'UserErased', userId: bob }]);
  });

  test('and has lost the departures keeps nothing of the user', async () => {
    const { ann, bob, tea } = await aChat();
    const { redis } = service.live.tidemark;
    const saved = await Promise.all(
      (await redis.keys(`tm:{${tea}}:*`)).map(async (key) => [key, await redis.dumpBuffer(key)] as const),
    );
    await beginErasure(service, bob);
    await service.followStream();
    await service.workOnce();
    await service.followStream();
    for (const [key, value] of saved) await redis.restore(key, 60_000, value, 'REPLACE');
    expect(await service.keysWith(bob)).not.toEqual([]);
    await service.finish();
    expect(await service.keysWith(bob)).toEqual([]);
    expect(await countReceipts(tidemark(), { groupId: tea, userId: ann }, [at(3)])).toMatchObject([
      { audience: 0, readCount: 0 },
    ]);
  });
});

describe('what begins after the erasure stays', () => {
  test('a membership of a group that the user had left by then', async () => {
    const { ann, bob, tea } = await aChat();
    await beginErasure(service, bob);
    await service.followStream();
    await service.workOnce();
    service.aheadMs += 1;
    await addMembers(tidemark(), tea, [bob]);
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([`USER#${bob} GROUP#${tea}`]);
    await eventually(async () => expect((await membersOf(tea)).sort()).toEqual([ann, bob].sort()));
    expect(await markRead(tidemark(), { groupId: tea, userId: bob }, at(3))).toMatchObject({
      view: { unread: { count: 0 } },
    });
  });

  test('a joining of a group in which the user still is at that moment', async () => {
    const { bob, tea } = await aChat();
    await beginErasure(service, bob);
    service.aheadMs += 1;
    const [joined] = await addMembers(tidemark(), tea, [bob, bob]);
    expect(joined).toMatchObject({ isNew: true, membership: { joinedAfter: at(3) } });
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([`USER#${bob} GROUP#${tea}`]);
  });

  test('a joining that comes as a fact', async () => {
    const { bob, tea } = await aChat();
    await beginErasure(service, bob);
    service.aheadMs += 1;
    const member = { groupId: tea, userId: bob };
    await applyJoin(tidemark(), member, { joinedAtMs: service.nowMs(), joinedAfter: at(2) });
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([`USER#${bob} GROUP#${tea}`]);
    expect(await service.live.tidemark.ledger.memberships.read(member)).toMatchObject({ joinedAfter: at(2) });
  });

  test('a connection', async () => {
    const { bob } = await aChat();
    await beginErasure(service, bob);
    await new Promise((resolve) => setTimeout(resolve, 2));
    const connectionId = await service.live.connect(bob);
    await service.finish();
    expect(await service.itemsWith(bob)).toEqual([`USER#${bob} CONN#${connectionId}`]);
    expect(await service.keysWith(bob)).toEqual(['tm:online']);
    expect(service.live.closed).not.toContain(connectionId);
  });
});

test('a joining with a time ahead that was received before the erasure is erased', async () => {
  const { bob } = await aChat();
  const later = aGroup();
  const member = { groupId: later, userId: bob };
  await applyJoin(tidemark(), member, { joinedAtMs: service.nowMs() + 3_600_000, joinedAfter: at(2) });
  service.aheadMs += 1;
  await beginErasure(service, bob);
  await service.finish();
  expect(await service.itemsWith(bob)).toEqual([]);
});

test('an erasure that begins again while it is under way erases what was stored since then', async () => {
  const { bob, hall } = await aChat();
  await beginErasure(service, bob);
  await service.followStream();
  await service.workOnce();
  service.aheadMs += 1;
  await addMembers(tidemark(), hall, [bob]);
  service.aheadMs += 1;
  await beginErasure(service, bob);
  await service.finish();
  expect(await service.itemsWith(bob)).toEqual([]);
  expect(erasedEvents()).toHaveLength(1);
});

test('a call that was under way when the membership ended brings nothing back', async () => {
  const { bob, tea } = await aChat();
  const member = { groupId: tea, userId: bob };
  const { cache, ledger } = service.live.tidemark;
  const before = await ledger.memberships.read(member);
  if (before?.kind !== 'member') throw new Error('Bob is a member');
  await beginErasure(service, bob);
  await service.followStream();
  await service.workOnce();
  // Another job of the same erasure, which has not waited, removes nothing yet.
  const [waiting] = service.jobs.splice(0);
  if (!waiting) throw new Error('a job waits');
  service.jobs.push([{ ...waiting[0], waitedSinceMs: null }, 0]);
  await service.workOnce();
  await service.followStream();
  // The call read the membership before, and merges it now.
  await cache.merge(tea, [change.member(bob, before)]);
  expect(await markRead(tidemark(), member, at(1))).toBeNull();
  await service.finish();
  expect(await service.keysWith(bob)).toEqual([]);
});

test('writes that were computed before the membership ended change nothing', async () => {
  const { bob, tea } = await aChat();
  const member = { groupId: tea, userId: bob };
  const { memberships } = service.live.tidemark.ledger;
  const before = await memberships.read(member);
  const writes = async () => {
    const move = (state: MembershipState | null) =>
      state?.kind === 'member' ? advance(state, at(3), service.nowMs()) : state;
    expect(await memberships.change(member, move, before)).toMatchObject({ changed: false });
    expect(await memberships.raise(member, at(9), service.nowMs())).toMatchObject({ isRaised: false });
    await memberships.setPreferences(member, { notify: 'none' }, service.nowMs());
  };
  await beginErasure(service, bob);
  await service.followStream();
  await service.workOnce();
  await writes();
  await service.finish();
  await writes();
  expect(await service.itemsWith(bob)).toEqual([]);
});

test('a job that dies before any of its calls is repeated, and nothing is left', async () => {
  for (let diesBefore = 0; ; diesBefore += 1) {
    const { bob } = await aChat();
    await beginErasure(service, bob);
    await service.followStream();
    let rest = diesBefore;
    let isDead = false;
    while (!isDead && service.jobs.length > 0) {
      service.aheadMs += (service.jobs[0]?.[1] ?? 0) * 1_000;
      const calls = await service.workOnce(rest);
      isDead = calls > rest;
      rest -= calls;
      await service.followStream();
    }
    await service.finish();
    expect([diesBefore, await service.itemsWith(bob)]).toEqual([diesBefore, []]);
    expect([diesBefore, await service.keysWith(bob)]).toEqual([diesBefore, []]);
    expect([diesBefore, erasedEvents()]).toEqual([diesBefore, [{ type: 'UserErased', userId: bob }]]);
    if (!isDead) {
      expect(diesBefore).toBeGreaterThan(15);
      return;
    }
  }
}, 120_000);

test('a user in 150 groups is erased in several jobs', async () => {
  const [cem, groups] = [aUser('cem'), Array.from({ length: 150 }, () => aGroup())];
  await Promise.all(groups.map((groupId) => addMembers(tidemark(), groupId, [cem])));
  await service.followStream();
  service.events.length = 0;
  await beginErasure(service, cem);
  await service.followStream();
  // No time but for the first page.
  let looks = 0;
  const { nowMs } = service;
  service.nowMs = () => nowMs() + 1_000 * looks++;
  await service.workOnce(undefined, 2_500);
  service.nowMs = nowMs;
  expect(service.jobs).toHaveLength(1);
  await service.finish();
  expect(await service.itemsWith(cem)).toEqual([]);
  expect(await service.keysWith(cem)).toEqual([]);
  expect(erasedEvents()).toEqual([{ type: 'UserErased', userId: cem }]);
}, 60_000);
