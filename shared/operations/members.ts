import type { Change } from '../cache/group-cache.ts';
import { type Belonging, hearDeparture, hearJoining } from '../domain/belonging.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Membership, MembershipState } from '../domain/membership.ts';
import { END, type Position, START } from '../domain/position.ts';
import type { Stores } from './stores.ts';

export interface Joined {
  readonly membership: Membership;
  readonly isNew: boolean;
}

/** Ledger writes at the same time when many users join in one call. */
const CONCURRENT_JOINS = 20;

/**
 * Makes users members. A user who already is one stays as before. They start after `joinedAfter`, or at the group's
 * head if that is null. Returns them in the order of `userIds`.
 */
export async function addMembers(
  stores: Stores,
  groupId: GroupId,
  userIds: readonly UserId[],
  joinedAfter: Position | null = null,
): Promise<Joined[]> {
  const after = isGiven(joinedAfter)
    ? joinedAfter
    : ((await stores.ledger.messages.readHead(groupId)) ?? START);
  const joined = await inParallel(userIds, CONCURRENT_JOINS, (userId) =>
    joinOne(stores, groupId, userId, after),
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

/** Makes one user a member. The new membership outranks all before it, even if a clock went back in between. */
async function joinOne(
  { ledger, nowMs }: Stores,
  groupId: GroupId,
  userId: UserId,
  after: Position,
): Promise<Joined> {
  const now = nowMs();
  const joinNow = (known: Belonging) =>
    known.state?.kind === 'member'
      ? known
      : hearJoining(known, { at: Math.max(now, (known.leftAt ?? -1) + 1), after, heardAt: now });
  const { before, after: reached } = await ledger.memberships.hear(userId, groupId, joinNow, now);
  if (reached.state?.kind !== 'member') throw new Error('a join left no membership');
  return { membership: reached.state, isNew: before.state?.kind !== 'member' };
}

/** Ends a membership. Does nothing if the user is not a member. */
export async function removeMember(stores: Stores, groupId: GroupId, userId: UserId): Promise<void> {
  const now = stores.nowMs();
  // At or after every joining, so that it ends all of them.
  const leaveNow = (known: Belonging) =>
    hearDeparture(known, Math.max(now, ...known.joinings.map(({ at }) => at)));
  await hear(stores, groupId, userId, leaveNow);
}

/** A joining that arrived as a fact. */
export interface JoiningFact {
  readonly joinedAtMs: number;
  /** The member starts after this message. Null: after the newest message sent at or before `joinedAtMs`. */
  readonly joinedAfter: Position | null;
}

/** Applies a join that arrived as a fact. It may be late or a repetition: only its own time counts. */
export async function applyJoin(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  { joinedAtMs, joinedAfter }: JoiningFact,
): Promise<void> {
  const after = isGiven(joinedAfter) ? joinedAfter : await newestBy(stores, groupId, joinedAtMs);
  const heardAt = stores.nowMs();
  const belonging = await hear(stores, groupId, userId, (known) =>
    hearJoining(known, { at: joinedAtMs, after, heardAt, isGiven: isGiven(joinedAfter) }),
  );
  await followOwnMessages(stores, groupId, userId, belonging);
}

/** Applies a departure that arrived as a fact. It ends the memberships that began at or before it. */
export async function applyLeave(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  leftAtMs: number,
): Promise<void> {
  const belonging = await hear(stores, groupId, userId, (known) => hearDeparture(known, leftAtMs));
  await followOwnMessages(stores, groupId, userId, belonging);
}

async function hear(
  { ledger, cache, nowMs }: Stores,
  groupId: GroupId,
  userId: UserId,
  change: (known: Belonging) => Belonging,
): Promise<Belonging> {
  const { before, after } = await ledger.memberships.hear(userId, groupId, change, nowMs());
  const isNew = before.state?.kind !== 'member';
  if (after.state) await cache.merge(groupId, changesOf(userId, after.state, isNew));
  return after;
}

/**
 * Moves a member to its newest own message sent since it joined: a member has read its own messages, including those
 * that arrived before the join. The messages are read after the membership was written, so that a message recorded in
 * the meantime finds the member.
 */
async function followOwnMessages(
  { ledger, cache, nowMs }: Stores,
  groupId: GroupId,
  userId: UserId,
  { state, joinings }: Belonging,
): Promise<void> {
  const [since] = joinings;
  if (state?.kind !== 'member' || !since) return;
  const { messages, memberships } = ledger;
  const newest = await messages.newestOf(groupId, userId, state.public.position, since.at);
  if (!newest) return;
  const moved = await memberships.advanceSender(userId, groupId, newest, nowMs());
  if (moved) await cache.merge(groupId, changesOf(userId, moved, false));
}

/** The newest message sent at or before a time; the start if there is none, the head if all messages have expired. */
async function newestBy({ ledger }: Stores, groupId: GroupId, atMs: number): Promise<Position> {
  const newest = await ledger.messages.newestSentBy(groupId, atMs);
  if (newest === 'none by then') return START;
  if (newest === 'none recorded') return (await ledger.messages.readHead(groupId)) ?? START;
  return newest;
}

/** The largest id means "everything", as in a mark, and does not name a start: nobody starts after future messages. */
function isGiven(joinedAfter: Position | null): joinedAfter is Position {
  return joinedAfter !== null && joinedAfter !== END;
}

/** The changes for the cache when a membership began, moved or ended. */
function changesOf(userId: UserId, state: MembershipState, isNew: boolean): Change[] {
  const member: Change = { kind: 'member', userId, state };
  return isNew && state.kind === 'member' ? [member, { kind: 'joined', userId }] : [member];
}
