import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ReceiptsPolicy } from '../../../shared/domain/head.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { setGroup } from '../../../shared/operations/groups.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { KeptLetters } from '../../support/stream-records.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
beforeAll(async () => {
  tidemark = await openTidemark();
  // The first use of a script costs one more call: Redis does not know it yet.
  const { groupId, ann } = await aWarmGroup('members');
  await list(tidemark, groupId, ann, 1);
});
afterAll(() => tidemark.close());

interface Group {
  readonly groupId: GroupId;
  /** Sent 1. */
  readonly ann: UserId;
  /** Sent 2. */
  readonly bob: UserId;
}

async function aWarmGroup(policy: ReceiptsPolicy): Promise<Group> {
  const [groupId, ann, bob] = [aGroup(), aUser('ann'), aUser('bob')];
  await addMembers(tidemark, groupId, [ann, bob]);
  for (const [id, senderId] of [
    [1, ann],
    [2, bob],
  ] as const) {
    await recordMessage(tidemark, { groupId, position: at(id), senderId });
  }
  await count(tidemark, groupId, ann);
  await setGroup(tidemark, groupId, { receipts: policy });
  tidemark.takeCalls();
  return { groupId, ann, bob };
}

async function count(by: Tidemark, groupId: GroupId, userId: UserId) {
  const counted = await countReceipts(by, { groupId, userId }, [1, 2, 3].map(at));
  return counted === 'receipts-off' ? counted : countsOf(counted);
}

async function list(by: Tidemark, groupId: GroupId, userId: UserId, id: number) {
  const listed = await listReceipts(by, { groupId, userId }, at(id), {
    ...{ state: 'unread', limit: 10, after: null },
  });
  return listed && typeof listed === 'object' ? listed.page.members.map((member) => member.userId) : listed;
}

/** What each policy leaves of the receipts of 1, 2 and 3. */
const COUNTS = {
  members: [[1, 1, 1], [1, 0, 0], null],
  sender: [[1, 1, 1], null, null],
  off: 'receipts-off',
} as const;

/** An instance whose cache does not answer. */
function withoutCache(): Tidemark {
  const { capacity, unreadLimit } = tidemark.cache;
  const nothing = async () => null;
  const cache = {
    ...{ capacity, unreadLimit, merge: async () => false },
    receipts: { count: nothing, list: nothing, claim: nothing },
  };
  return { ...tidemark, cache: cache as unknown as Tidemark['cache'] };
}

describe.each(['members', 'sender', 'off'] as const)('the policy %s', (policy) => {
  test('costs no call: the head comes with the counts', async () => {
    const { groupId, ann } = await aWarmGroup(policy);
    expect(await count(tidemark, groupId, ann)).toEqual(COUNTS[policy]);
    expect(tidemark.takeCalls()).toEqual(['cache']);
  });

  test('is read from the ledger if the cache lost the head or cannot read it, and is kept then', async () => {
    const { groupId, ann } = await aWarmGroup(policy);
    const key = `tm:{${groupId}}:head`;
    for (const spoil of [() => tidemark.redis.del(key), () => tidemark.redis.set(key, '0000000000002;x')]) {
      await spoil();
      tidemark.takeCalls();
      expect(await count(tidemark, groupId, ann)).toEqual(COUNTS[policy]);
      expect(tidemark.takeCalls()).toEqual(['cache', 'ledger GetItem', 'cache']);
      expect(await count(tidemark, groupId, ann)).toEqual(COUNTS[policy]);
      expect(tidemark.takeCalls()).toEqual(['cache']);
    }
  });

  test('is the same with an empty cache and without one', async () => {
    const { groupId, ann, bob } = await aWarmGroup(policy);
    const others = { members: [ann], sender: 'receipts-off', off: 'receipts-off' } as const;
    await recordMessage(tidemark, { groupId, position: at(3), senderId: ann });
    await recordMessage(tidemark, { groupId, position: at(4), senderId: bob });
    const check = async (by: Tidemark) => {
      // Bob has read 3, since he sent 4.
      expect(await list(by, groupId, ann, 3)).toEqual(policy === 'off' ? 'receipts-off' : []);
      expect(await list(by, groupId, bob, 4)).toEqual(policy === 'off' ? 'receipts-off' : [ann]);
      expect(await list(by, groupId, ann, 4)).toEqual(others[policy]);
      expect(await list(by, groupId, ann, 9)).toEqual(policy === 'off' ? 'receipts-off' : 'no-message');
    };
    await check(tidemark);
    await forget(tidemark.redis, groupId);
    await check(tidemark);
    await check(withoutCache());
  });
});

describe('the policy of a group', () => {
  test('is read side by side with the membership if the cache does not answer', async () => {
    const { groupId, ann } = await aWarmGroup('sender');
    const { ledger } = tidemark;
    const { promise: isRead, resolve } = Promise.withResolvers<void>();
    const heads = replacing(ledger.heads, {
      read: (group) => {
        resolve();
        return ledger.heads.read(group);
      },
    });
    // It would wait for ever if the head were read only afterwards.
    const memberships = replacing(ledger.memberships, {
      read: async (member) => {
        await isRead;
        return ledger.memberships.read(member);
      },
    });
    const one = { ...withoutCache(), ledger: { ...ledger, heads, memberships } };
    expect(await count(one, groupId, ann)).toEqual(COUNTS.sender);
  });

  test('reaches the cache with the stream if the call that set it did not', async () => {
    const { groupId, ann } = await aWarmGroup('members');
    await setGroup(withoutCache(), groupId, { receipts: 'off' });
    expect(await count(tidemark, groupId, ann)).toEqual(COUNTS.members);
    const item = {
      ...{ kind: { S: 'head' }, groupId: { S: groupId }, position: { S: at(2) } },
      ...{ receipts: { S: 'off' }, settings: { N: '1' } },
    };
    const failed = await project(
      {
        tidemark,
        publisher: null,
        deadLetters: new DeadLetters(new KeptLetters()),
        erasures: NO_ERASURES,
        published: new RecentRecords(10),
      },
      [{ sequenceNumber: '1', before: null, after: item }],
    );
    expect(failed).toEqual([]);
    expect(await count(tidemark, groupId, ann)).toBe('receipts-off');
  });

  test('is not undone by an old record of the stream', async () => {
    const { groupId, ann } = await aWarmGroup('off');
    const { cache } = tidemark;
    const before = await cache.read({ groupId, userId: ann });
    const head = { kind: { S: 'head' }, groupId: { S: groupId }, position: { S: at(2) } };
    await project(
      {
        tidemark,
        publisher: null,
        deadLetters: new DeadLetters(new KeptLetters()),
        erasures: NO_ERASURES,
        published: new RecentRecords(10),
      },
      [{ sequenceNumber: '1', before: null, after: head }],
    );
    expect((await cache.read({ groupId, userId: ann }))?.head).toEqual(before?.head);
    expect(await count(tidemark, groupId, ann)).toBe('receipts-off');
  });

  test('loads nothing into the cache if nobody may see receipts', async () => {
    const { groupId, ann } = await aWarmGroup('off');
    await forget(tidemark.redis, groupId);
    expect(await count(tidemark, groupId, ann)).toBe('receipts-off');
    expect(await tidemark.redis.keys(`tm:{${groupId}}:*`)).toEqual([`tm:{${groupId}}:head`]);
  });
});
