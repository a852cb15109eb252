import * as change from '../cache/changes.ts';
import {
  applyDeparture,
  applyEpoch,
  applyErasure,
  applyJoining,
  type Belonging,
} from '../domain/belonging.ts';
import { type Head, isAfterEpoch } from '../domain/head.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Membership, MembershipState } from '../domain/membership.ts';
import { END, type Position, START } from '../domain/position.ts';
import { followOwnMessages } from './own-messages.ts';
import type { Tidemark } from './tidemark.ts';

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
  tidemark: Tidemark,
  groupId: GroupId,
  userIds: readonly UserId[],
  joinedAfter: Position | null = null,
): Promise<Joined[]> {
  const start = await readStart(tidemark, groupId, joinedAfter);
  const joined = await joinAll(tidemark, groupId, userIds, start);
  const members = new Set(userIds.filter((_, index) => !joined[index]?.isNew));
  // A user who is being erased may still be a member, for the moment. This joining is a new membership, which stays.
  const erasures = await tidemark.ledger.memberships.erasuresOf([...members]);
  const rejoining = [...erasures].filter(([userId, { begunAtMs }]) => {
    const known = joined[userIds.indexOf(userId)];
    return known && known.membership.generation <= begunAtMs;
  });
  if (rejoining.length > 0) {
    // This joining must be later than the erasures.
    const again = await readStart(tidemark, groupId, joinedAfter);
    await inParallel(rejoining, CONCURRENT_JOINS, async ([userId, { begunAtMs }]) => {
      joined[userIds.indexOf(userId)] = await joinOne(tidemark, { groupId, userId }, again, begunAtMs);
    });
  }
  await mergeJoined(tidemark, groupId, userIds, joined);
  return joined;
}

/** Where and when members start. */
interface JoinStart {
  readonly joinedAfter: Position;
  /** Of the group. */
  readonly epoch: number;
  readonly nowMs: number;
}

/** Reads where members start: after `joinedAfter`, or at the group's head if that is null. */
async function readStart(
  tidemark: Tidemark,
  groupId: GroupId,
  joinedAfter: Position | null,
): Promise<JoinStart> {
  // Before the head is read: if the group is deleted in between, these joins count as made before that.
  const nowMs = tidemark.nowMs();
  const { epoch, position } = await readKeptHead(tidemark, groupId);
  return { joinedAfter: isGiven(joinedAfter) ? joinedAfter : position, epoch, nowMs };
}

/**
 * Reads the head of a group that a user joins. The head of a deleted group expires, and a message keeps it. If it expired while
 * the group has members, the cache could still hold its epoch, which outranks every head that the ledger has afterwards.
 */
async function readKeptHead({ ledger }: Tidemark, groupId: GroupId): Promise<Head> {
  const head = await ledger.heads.read(groupId);
  if (head.epoch > 0 && head.position === START) await ledger.heads.keep(groupId);
  return head;
}

async function joinAll(
  tidemark: Tidemark,
  groupId: GroupId,
  userIds: readonly UserId[],
  start: JoinStart,
): Promise<Joined[]> {
  return inParallel(userIds, CONCURRENT_JOINS, (userId) => joinOne(tidemark, { groupId, userId }, start));
}

async function mergeJoined(
  tidemark: Tidemark,
  groupId: GroupId,
  userIds: readonly UserId[],
  joined: readonly Joined[],
): Promise<void> {
  const changes = joined.flatMap(({ membership, isNew }, index) =>
    changesOf(userIds[index] as UserId, membership, isNew),
  );
  await tidemark.cache.merge(groupId, changes);
}

/** Makes a user a member that is none. It starts at the head. */
export async function join(tidemark: Tidemark, { groupId, userId }: Member): Promise<Membership | null> {
  const joined = await joinAll(tidemark, groupId, [userId], await readStart(tidemark, groupId, null));
  await mergeJoined(tidemark, groupId, [userId], joined);
  return joined[0]?.membership ?? null;
}

/**
 * Makes one user a member. If the user is being erased, that ends the membership from before first. The new membership outranks all
 * before it, even if a clock went back in between.
 */
async function joinOne(
  { ledger }: Tidemark,
  member: Member,
  { joinedAfter, epoch, nowMs }: JoinStart,
  erasedAtMs: number | null = null,
): Promise<Joined> {
  const joinNow = (stored: Belonging) => {
    const before = applyEpoch(stored, epoch);
    const known = erasedAtMs === null ? before : applyErasure(before, erasedAtMs);
    if (known.state?.kind === 'member') return known;
    return applyJoining(known, {
      ...{ at: Math.max(nowMs, (known.leftAt ?? -1) + 1), joinedAfter },
      receivedAt: nowMs,
    });
  };
  const { before, after: reached } = await ledger.memberships.changeBelonging(member, joinNow, nowMs);
  if (reached.state?.kind !== 'member') throw new Error('a join left no membership');
  const isNew = before.state?.kind !== 'member' || before.state.generation !== reached.state.generation;
  return { membership: reached.state, isNew };
}

/** A member as other users see it: a private read does not show. */
export interface VisibleMember {
  readonly userId: UserId;
  readonly watermark: Position;
  readonly joinedAfter: Position;
}

/**
 * Returns one page of a group's members, ordered by user id. The next page begins after `next`; null if there is none.
 */
export async function listMembers(
  { ledger }: Tidemark,
  groupId: GroupId,
  limit: number,
  after: UserId | null,
): Promise<{ readonly members: readonly VisibleMember[]; readonly next: UserId | null }> {
  const [head, { members, next }] = await Promise.all([
    ledger.heads.read(groupId),
    ledger.memberships.page(groupId, limit, after),
  ]);
  const current = members.filter(({ membership }) => isAfterEpoch(head, membership.generation));
  return {
    members: current.map(({ userId, membership }) => ({
      userId,
      watermark: membership.public.position,
      joinedAfter: membership.joinedAfter,
    })),
    next,
  };
}

/** Ends a membership. Does nothing if the user is not a member. */
export async function removeMember(tidemark: Tidemark, member: Member): Promise<void> {
  const now = tidemark.nowMs();
  // At or after every joining, so that it ends all of them.
  const leaveNow = (known: Belonging) =>
    applyDeparture(known, Math.max(now, ...known.joinings.map(({ at }) => at)));
  await changeAndMerge(tidemark, member, leaveNow);
}

/**
 * Ends the memberships of a user who is being erased. Those that began after the erasure stay. Returns what the ledger then
 * holds.
 */
export async function endMemberships(
  tidemark: Tidemark,
  member: Member,
  begunAtMs: number,
): Promise<MembershipState | null> {
  const belonging = await changeAndMerge(tidemark, member, (known) => applyErasure(known, begunAtMs));
  if (belonging.state?.kind === 'member') {
    const head = await tidemark.ledger.heads.read(member.groupId);
    await mergeOwnMessages(tidemark, member, head, belonging);
  }
  return belonging.state;
}

/** A joining that arrived as a fact. */
export interface JoiningFact {
  readonly joinedAtMs: number;
  /** The member starts after this message. Null: after the newest message sent at or before `joinedAtMs`. */
  readonly joinedAfter: Position | null;
}

/**
 * Applies a join that arrived as a fact. It may be late or a repetition: only its own time counts. One of a time up to the
 * epoch changes nothing: the group was deleted since.
 */
export async function applyJoin(
  tidemark: Tidemark,
  member: Member,
  { joinedAtMs, joinedAfter }: JoiningFact,
): Promise<void> {
  const head = await readKeptHead(tidemark, member.groupId);
  if (!isAfterEpoch(head, joinedAtMs)) return;
  const isStartGiven = isGiven(joinedAfter);
  const start = isStartGiven ? joinedAfter : await newestBy(tidemark, member.groupId, head, joinedAtMs);
  const receivedAt = tidemark.nowMs();
  const belonging = await changeAndMerge(tidemark, member, (known) =>
    applyJoining(applyEpoch(known, head.epoch), {
      ...{ at: joinedAtMs, joinedAfter: start, receivedAt },
      isGiven: isStartGiven,
    }),
  );
  await mergeOwnMessages(tidemark, member, head, belonging);
}

/**
 * Applies a departure that arrived as a fact. It ends the memberships that began at or before it. One of a time up to the
 * epoch changes nothing.
 */
export async function applyLeave(tidemark: Tidemark, member: Member, leftAtMs: number): Promise<void> {
  const head = await tidemark.ledger.heads.read(member.groupId);
  if (!isAfterEpoch(head, leftAtMs)) return;
  const belonging = await changeAndMerge(tidemark, member, (known) =>
    applyDeparture(applyEpoch(known, head.epoch), leftAtMs),
  );
  await mergeOwnMessages(tidemark, member, head, belonging);
}

async function changeAndMerge(
  { ledger, cache, nowMs }: Tidemark,
  member: Member,
  transition: (known: Belonging) => Belonging,
): Promise<Belonging> {
  const { before, after } = await ledger.memberships.changeBelonging(member, transition, nowMs());
  const isNew = before.state?.kind !== 'member';
  if (after.state) await cache.merge(member.groupId, changesOf(member.userId, after.state, isNew));
  return after;
}

async function mergeOwnMessages(
  tidemark: Tidemark,
  member: Member,
  { epoch }: Head,
  belonging: Belonging,
): Promise<void> {
  const moved = await followOwnMessages(tidemark, member, belonging, epoch);
  if (moved) await tidemark.cache.merge(member.groupId, changesOf(member.userId, moved, false));
}

/** The newest message sent at or before a time; the start if there is none, the head if all messages have expired. */
async function newestBy({ ledger }: Tidemark, groupId: GroupId, head: Head, atMs: number): Promise<Position> {
  const newest = await ledger.messages.newestSentBy(groupId, atMs, head.epoch);
  if (newest === 'none by then') return START;
  if (newest === 'none recorded') return head.position;
  return newest;
}

/** The largest id means "everything", as in a mark, and does not name a start: nobody starts after future messages. */
function isGiven(joinedAfter: Position | null): joinedAfter is Position {
  return joinedAfter !== null && joinedAfter !== END;
}

/** The changes for the cache when a membership began, moved or ended. */
function changesOf(userId: UserId, state: MembershipState, isNew: boolean): change.Change[] {
  const member = change.member(userId, state);
  return isNew && state.kind === 'member' ? [member, change.joined(userId)] : [member];
}
