import type { GroupId, UserId } from '../domain/ids.ts';
import type { Membership } from '../domain/membership.ts';
import { membershipKey } from './keys.ts';
import { passingOver } from './passed-over.ts';
import type { Table } from './table.ts';

/**
 * The memberships of a user in some groups, without departures and without those that cannot be read, in no order. Strongly
 * consistent. One call for each hundred groups.
 */
export async function readMembershipsOfUser(
  table: Table,
  userId: UserId,
  groupIds: readonly GroupId[],
): Promise<{ readonly groupId: GroupId; readonly membership: Membership }[]> {
  const items = await table.getMany(groupIds.map((groupId) => membershipKey({ groupId, userId })));
  return passingOver(async (passedOver) =>
    items.flatMap((item) => {
      const stored = passedOver.read(item, 'membership');
      return stored?.state.kind === 'member' ? [{ groupId: stored.groupId, membership: stored.state }] : [];
    }),
  );
}
