import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { deleteGroup } from '../../../shared/operations/groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { openErasures, type TestErasures } from '../../support/erasures.ts';
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
});

/** The service by the erasure's clock. */
const tidemark = () => ({ ...service.live.tidemark, nowMs: service.nowMs });

interface Chat {
  readonly groupId: GroupId;
  readonly ann: UserId;
  readonly bob: UserId;
}

/** Ann has sent three messages, of which Bob has read one. The cache knows all of it. */
async function aChat(): Promise<Chat> {
  const [groupId, ann, bob] = [aGroup(), aUser('ann'), aUser('bob')];
  await addMembers(tidemark(), groupId, [ann, bob]);
  for (const id of [1, 2, 3]) {
    await recordMessage(tidemark(), { groupId, position: at(id), senderId: ann, remindAfterSeconds: 60 });
  }
  await markRead(tidemark(), { groupId, userId: bob }, at(1));
  await countReceipts(tidemark(), { groupId, userId: ann }, [at(3)]);
  await service.followStream();
  service.events.length = 0;
  return { groupId, ann, bob };
}

/** Deletes a group as the route does. */
async function beginDeletion(groupId: GroupId): Promise<void> {
  const { epoch } = await deleteGroup(tidemark(), groupId);
  await service.erasures.begin({ kind: 'group', groupId }, epoch);
}

test('a deleted group leaves only its head, and ends with one event: none of its members moves', async () => {
  const { groupId, bob } = await aChat();
  await beginDeletion(groupId);
  expect(await readOwnView(tidemark(), { groupId, userId: bob })).toBeNull();
  await service.finish();
  expect(await service.itemsWith(groupId)).toEqual([`GROUP#${groupId} HEAD`]);
  expect(await service.keysWith(groupId)).toEqual([`tm:{${groupId}}:head`]);
  expect(await service.keysWith(bob)).toEqual([]);
  expect(service.events).toEqual([{ type: 'GroupDeleted', groupId }]);
});

test('a group that nobody knows is deleted too', async () => {
  const groupId = aGroup();
  service.events.length = 0;
  await beginDeletion(groupId);
  await service.finish();
  expect(service.events).toEqual([{ type: 'GroupDeleted', groupId }]);
});

test('a job that dies before any of its calls is repeated: nothing is left, and one event comes', async () => {
  for (let diesBefore = 0; ; diesBefore += 1) {
    const { groupId } = await aChat();
    await beginDeletion(groupId);
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
    expect([diesBefore, await service.itemsWith(groupId)]).toEqual([diesBefore, [`GROUP#${groupId} HEAD`]]);
    expect([diesBefore, await service.keysWith(groupId)]).toEqual([diesBefore, [`tm:{${groupId}}:head`]]);
    expect([diesBefore, service.events]).toEqual([diesBefore, [{ type: 'GroupDeleted', groupId }]]);
    if (!isDead) {
      expect(diesBefore).toBeGreaterThan(10);
      return;
    }
  }
}, 180_000);

test('what begins between the deletion and its end stays, whenever the stream is followed', async () => {
  const { groupId, ann, bob } = await aChat();
  await beginDeletion(groupId);
  service.aheadMs += 1;
  await addMembers(tidemark(), groupId, [bob, ann]);
  await recordMessage(tidemark(), { groupId, position: at(2), senderId: ann });
  await service.finish();
  expect((await service.itemsWith(groupId)).sort()).toEqual(
    [
      ...[`GROUP#${groupId} HEAD`, `GROUP#${groupId} MSG#${at(2)}`],
      ...[`USER#${ann} GROUP#${groupId}`, `USER#${bob} GROUP#${groupId}`],
    ].sort(),
  );
  expect(await readOwnView(tidemark(), { groupId, userId: bob })).toMatchObject({
    ...{ head: { position: at(2) }, unread: { count: 1, first: at(2) } },
  });
  expect(service.events.filter(({ type }) => type === 'GroupDeleted')).toHaveLength(1);
});

test('a group that is deleted again before the end has one event, after both', async () => {
  const { groupId, ann } = await aChat();
  await beginDeletion(groupId);
  await service.followStream();
  await service.workOnce();
  service.aheadMs += 1;
  await addMembers(tidemark(), groupId, [ann]);
  await beginDeletion(groupId);
  await service.finish();
  expect(await service.itemsWith(groupId)).toEqual([`GROUP#${groupId} HEAD`]);
  expect(service.events).toEqual([{ type: 'GroupDeleted', groupId }]);
});
