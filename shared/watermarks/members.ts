import type { Change } from '../cache/group-cache.ts';
import { inParallel } from '../concurrency/in-parallel.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { joinAt, type Membership, type MembershipState } from '../domain/membership.ts';
import { type Position, START } from '../domain/position.ts';
import type { Transition } from '../ledger/memberships.ts';
import type { Stores } from './stores.ts';

export interface Joined {
  readonly membership: Membership;
  readonly isNew: boolean;
}

/** Ledger writes under way at once when many join in one call. */
const CONCURRENT_JOINS = 20;

/** Makes users members from the group's head on; who is one already stays as they are. In the order given. */
export async function addMembers(
  stores: Stores,
  groupId: GroupId,
  userIds: readonly UserId[],
): Promise<Joined[]> {
  const head = (await stores.ledger.messages.readHead(groupId)) ?? START;
  const transition = joining(head, stores.nowMs());
  const joined = await inParallel(userIds, CONCURRENT_JOINS, (userId) =>
    joinOne(stores, groupId, userId, transition),
  );
  const changes = joined.flatMap(({ membership, isNew }, index) =>
    changesOf(userIds[index] as UserId, membership, isNew),
  );
  await stores.cache.merge(groupId, changes);
  return joined;
}

export async function join(stores: Stores, groupId: GroupId, userId: UserId): Promise<Membership | null> {
  const [joined] = await addMembers(stores, groupId, [userId]);
  return joined?.membership ?? null;
}

async function joinOne(
  { ledger }: Stores,
  groupId: GroupId,
  userId: UserId,
  transition: Transition,
): Promise<Joined> {
  const { state, changed } = await ledger.memberships.change(userId, groupId, transition, null);
  if (state?.kind !== 'member') throw new Error('a join left no membership');
  return { membership: state, isNew: changed };
}

/** Forgets a membership. Nothing happens to who is no member. */
export async function removeMember(stores: Stores, groupId: GroupId, userId: UserId): Promise<void> {
  const now = stores.nowMs();
  await change(stores, groupId, userId, (current) => ({
    kind: 'departed',
    generation: Math.max(now, current?.generation ?? 0),
  }));
}

/**
 * A join that was heard of as an event, which may be late or a repetition: its own time decides. One from before the
 * last departure says nothing. One of a member says that no departure from before it, still on its way, counts.
 */
export async function applyJoin(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  joinedAtMs: number,
): Promise<void> {
  const head = (await stores.ledger.messages.readHead(groupId)) ?? START;
  await change(stores, groupId, userId, (current) => {
    if (current && current.generation >= joinedAtMs) return current;
    return current?.kind === 'member' ? { ...current, generation: joinedAtMs } : joinAt(head, joinedAtMs);
  });
}

/** A departure that was heard of as an event: it ends the memberships that began up to then. */
export async function applyLeave(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  leftAtMs: number,
): Promise<void> {
  await change(stores, groupId, userId, (current) =>
    current && current.generation > leftAtMs ? current : { kind: 'departed', generation: leftAtMs },
  );
}

async function change(
  { ledger, cache }: Stores,
  groupId: GroupId,
  userId: UserId,
  transition: Transition,
): Promise<void> {
  const { state, changed } = await ledger.memberships.change(userId, groupId, transition, null);
  if (state) await cache.merge(groupId, changesOf(userId, state, changed));
}

/** What the cache is told of a membership that began or ended. */
function changesOf(userId: UserId, state: MembershipState, isNew: boolean): Change[] {
  const member: Change = { kind: 'member', userId, state };
  return isNew && state.kind === 'member' ? [member, { kind: 'joined', userId }] : [member];
}

/** A new membership outranks whatever came before it, also where a clock went back in between. */
function joining(head: Position, nowMs: number): Transition {
  return (current: MembershipState | null) =>
    current?.kind === 'member' ? current : joinAt(head, Math.max(nowMs, (current?.generation ?? 0) + 1));
}
