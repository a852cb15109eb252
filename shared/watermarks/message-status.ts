import type { GroupId, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import { memberIn, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/** Where a member's own view stands: a message is read when its id is at or below. Null where the user is no member. */
export async function readWatermark(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
): Promise<Position | null> {
  const view = await stores.cache.read(groupId, userId);
  const membership = memberIn(view) ?? (await readMember(stores, groupId, userId));
  if (!membership) return null;
  if (view && !memberIn(view))
    await stores.cache.merge(groupId, [{ kind: 'member', userId, state: membership }]);
  return membership.self.position;
}
