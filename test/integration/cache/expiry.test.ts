import { expect, test } from '@jest/globals';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const WEEK_MS = 604_800_000;
const DAY_MS = 86_400_000;
const HALF_A_MINUTE_MS = 30_000;

const tidemark = withTidemark();

test('every key of a group has an expiry, whatever happens in the group', async () => {
  const [groupId, sender, reader, other] = [aGroup(), aUser('sender'), aUser('reader'), aUser('other')];
  const record = (id: number) => recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  const operations: readonly (() => Promise<unknown>)[] = [
    () => addMembers(tidemark, groupId, [sender, reader, other]),
    () => record(1),
    () => readOwnView(tidemark, { groupId, userId: reader }),
    () => record(2),
    () => markDelivered(tidemark, { groupId, userId: reader }, at(1)),
    () => markRead(tidemark, { groupId, userId: reader }, at(2)),
    () => markUnread(tidemark, { groupId, userId: reader }, at(2)),
    () => countReceipts(tidemark, { groupId, userId: reader }, [at(1)]),
    () => record(3),
    () => deleteMessage(tidemark, groupId, at(2)),
    () => removeMember(tidemark, { groupId, userId: other }),
  ];
  const most = {
    members: WEEK_MS,
    messages: WEEK_MS,
    head: WEEK_MS,
    receipts: DAY_MS,
    joined: HALF_A_MINUTE_MS,
  };
  const seen = new Set<string>();
  for (const operation of operations) {
    await operation();
    for (const [name, mostMs] of Object.entries(most)) {
      const leftMs = await tidemark.redis.pttl(`tm:{${groupId}}:${name}`);
      // -2 means no key, -1 a key without an expiry.
      if (leftMs === -2) continue;
      seen.add(name);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(mostMs);
    }
  }
  expect([...seen].toSorted()).toEqual(Object.keys(most).toSorted());
});
