import type { GroupId, UserId } from '../../shared/domain/ids.ts';
import { inParallel } from '../../shared/domain/in-parallel.ts';
import { joinAt } from '../../shared/domain/membership.ts';
import { recordMessage } from '../../shared/operations/messages.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { at } from './positions.ts';
import { aGroup, aUser } from './tidemark.ts';

/** Writes at the same time. */
const CONCURRENT_WRITES = 20;

/**
 * Makes a user a member of many groups, in order of their ids. Each has a message that the user has read; one group of
 * `every` has a second one, which is unread.
 */
export async function joinManyGroups(
  tidemark: Tidemark,
  userId: UserId,
  count: number,
  every: number,
): Promise<{ readonly groups: readonly GroupId[]; readonly unread: readonly GroupId[] }> {
  const senderId = aUser('sender');
  const groups = Array.from({ length: count }, () => aGroup()).toSorted();
  const unread = groups.filter((_, index) => index % every === 0);
  await inParallel(groups, CONCURRENT_WRITES, async (groupId) => {
    const { memberships, heads } = tidemark.ledger;
    await Promise.all([
      memberships.changeBelonging(
        { groupId, userId },
        (known) => ({ ...known, state: joinAt(at(1), 1) }),
        Date.now(),
      ),
      heads.raise(groupId, { position: at(1), isSilent: false, recordedAt: 1 }),
    ]);
    if (unread.includes(groupId)) await recordMessage(tidemark, { groupId, position: at(2), senderId });
  });
  return { groups, unread };
}
