import type { GroupId, UserId } from '../../shared/domain/ids.ts';
import { markRead } from '../../shared/operations/mark-read.ts';
import { addMembers } from '../../shared/operations/members.ts';
import { recordMessage } from '../../shared/operations/messages.ts';
import { countReceipts } from '../../shared/operations/receipts.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { at } from './positions.ts';
import { aGroup, aUser } from './tidemark.ts';

/** A wrong id, near the largest. */
export const HUGE = '18446744073709551000';

export interface SpoiltChat {
  readonly groupId: GroupId;
  readonly ann: UserId;
  readonly bob: UserId;
}

/** Ann has sent three messages and one under a wrong id; Bob has read the first. The cache holds the group. */
export async function openSpoiltChat(tidemark: Tidemark): Promise<SpoiltChat> {
  const [groupId, ann, bob] = [aGroup(), aUser('ann'), aUser('bob')];
  await addMembers(tidemark, groupId, [ann, bob]);
  for (const id of [1, 2, 3, HUGE])
    await recordMessage(tidemark, { groupId, position: at(id), senderId: ann });
  await markRead(tidemark, { groupId, userId: bob }, at(1));
  await countReceipts(tidemark, { groupId, userId: ann }, [at(3)]);
  return { groupId, ann, bob };
}
