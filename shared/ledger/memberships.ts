import { QueryCommand, type QueryCommandOutput } from '@aws-sdk/client-dynamodb';
import { unavailable } from '../domain/errors.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import {
  advance,
  type Departure,
  isPast,
  isSame,
  type Membership,
  type MembershipState,
} from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import {
  CURRENT_MEMBER,
  FORMER_MEMBER,
  type Item,
  membershipItem,
  membershipState,
  REGISTER_NAMES,
  type RegisterName,
  readItem,
  registerItem,
  registerText,
  revisionPrefix,
  timeOf,
} from './items.ts';
import { AFTER_ALL_GROUPS, BEFORE_ALL_GROUPS, justAfter, membershipKey, userPartition } from './keys.ts';
import {
  anyOf,
  beginsWith,
  type Clause,
  equals,
  exists,
  isAbsent,
  isAtMost,
  isBelow,
  lacks,
  type Table,
  type Update,
} from './table.ts';

/** What a membership becomes; the same state, or null where there is none, means that nothing is to be written. */
export type Transition = (current: MembershipState | null) => MembershipState | null;

export interface Member {
  readonly userId: UserId;
  readonly membership: Membership;
}

/** Members in the order of their ids, and the id after which the next page begins; null where there is none. */
export interface MembersPage {
  readonly members: readonly Member[];
  readonly next: UserId | null;
}

/** Another writer must win this often in a row before a write gives up. */
const MAX_ATTEMPTS = 10;

/** How long a departure outlives the membership: longer than any retry, queue or stream keeps what is late. */
const DEPARTURE_DAYS = 30;

/** The ledger's memberships. Every write is conditioned on the law of merging: nothing here ever lowers a register. */
export class Memberships {
  readonly #table: Table;
  readonly #indexName: string;

  constructor(table: Table, indexName: string) {
    this.#table = table;
    this.#indexName = indexName;
  }

  async read(userId: UserId, groupId: GroupId): Promise<MembershipState | null> {
    const item = await this.#table.get(membershipKey(userId, groupId));
    return item && membershipState(item);
  }

  /** The memberships, and departures, that there are of these users. One call for each hundred. */
  async readMany(userIds: readonly UserId[], groupId: GroupId): Promise<Map<UserId, MembershipState>> {
    const items = await this.#table.getMany(userIds.map((userId) => membershipKey(userId, groupId)));
    return new Map(items.map(membershipIn).map(({ userId, state }) => [userId, state]));
  }

  /**
   * Brings a membership to what `transition` makes of it and returns the state that the ledger then holds.
   * `believed` is where to start from, null for nothing yet: a copy that may be old, never one ahead of the
   * ledger. Where it is old the condition fails, the ledger tells what it holds, and the transition is made anew.
   */
  async change(
    userId: UserId,
    groupId: GroupId,
    transition: Transition,
    believed: MembershipState | null,
  ): Promise<{ readonly state: MembershipState | null; readonly changed: boolean }> {
    let current = believed;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const next = transition(current);
      if (!next || (current && isSame(current, next))) return { state: current, changed: false };
      const { applied, item } = await this.#table.update(updateOf(userId, groupId, current, next));
      if (applied) return { state: membershipState(item), changed: true };
      current = item && membershipState(item);
    }
    throw unavailable(new Error('a membership changed faster than it could be written'));
  }

  /**
   * Moves the sender of a message up to it. Written without a read, for what is nearly always so: the sender is a
   * member, stands below its own new message and never marked anything unread. Returns null where it is no member.
   */
  async advanceSender(
    userId: UserId,
    groupId: GroupId,
    position: Position,
    at: number,
  ): Promise<MembershipState | null> {
    const reached = { position, at };
    const own = { ...reached, revision: 0 };
    const { applied, item } = await this.#table.update({
      key: membershipKey(userId, groupId),
      set: {
        ...registerItem('self', own),
        ...registerItem('public', reached),
        ...registerItem('delivered', reached),
      },
      conditions: [
        exists(CURRENT_MEMBER),
        beginsWith('self', revisionPrefix(0)),
        isBelow('self', { S: registerText('self', own) }),
        isBelow('public', { S: position }),
        isBelow('delivered', { S: position }),
      ],
    });
    if (applied) return membershipState(item);
    if (!item) return null;
    const forward: Transition = (current) =>
      current?.kind === 'member' ? advance(current, position, at) : current;
    return (await this.change(userId, groupId, forward, membershipState(item))).state;
  }

  /**
   * One page of a group's current members, ordered by user id. The index lags behind the ledger for a moment;
   * the memberships themselves are read as they are.
   */
  async page(groupId: GroupId, limit: number, after: UserId | null): Promise<MembersPage> {
    const listed = await this.#table.call(() =>
      this.#table.client.send(
        new QueryCommand({
          TableName: this.#table.name,
          IndexName: this.#indexName,
          KeyConditionExpression: after ? 'groupId = :group AND userId > :after' : 'groupId = :group',
          ExpressionAttributeValues: { ':group': { S: groupId }, ...(after && { ':after': { S: after } }) },
          Limit: limit + 1,
        }),
      ),
    );
    const [told, isMore] = cut(listed, limit);
    const userIds = told.map((item) => item.userId?.S as UserId);
    const found = await this.readMany(userIds, groupId);
    const members = userIds.flatMap((userId) => {
      const state = found.get(userId);
      return state?.kind === 'member' ? [{ userId, membership: state }] : [];
    });
    return { members, next: isMore ? (userIds.at(-1) ?? null) : null };
  }

  /** Every current member of a group, read `pageSize` at a time. */
  async *everyone(groupId: GroupId, pageSize: number): AsyncGenerator<Member> {
    let after: UserId | null = null;
    do {
      const page: MembersPage = await this.page(groupId, pageSize, after);
      yield* page.members;
      after = page.next;
    } while (after);
  }

  /**
   * One page of the groups that a user is a member of, ordered by group id, as they are. A page may have fewer than
   * `limit` and yet not be the last: who has left a group is passed over.
   */
  async ofUser(
    userId: UserId,
    limit: number,
    after: GroupId | null,
  ): Promise<{
    readonly memberships: readonly { groupId: GroupId; membership: Membership }[];
    readonly next: GroupId | null;
  }> {
    const command = new QueryCommand({
      TableName: this.#table.name,
      KeyConditionExpression: 'PK = :user AND SK BETWEEN :after AND :end',
      ExpressionAttributeValues: {
        ':user': userPartition(userId),
        ':after': after ? justAfter(membershipKey(userId, after).SK) : BEFORE_ALL_GROUPS,
        ':end': AFTER_ALL_GROUPS,
      },
      ConsistentRead: true,
      Limit: limit + 1,
    });
    const [told, isMore] = cut(await this.#table.call(() => this.#table.client.send(command)), limit);
    const read = told.map(membershipIn);
    return {
      memberships: read.flatMap(({ groupId, state }) =>
        state.kind === 'member' ? [{ groupId, membership: state }] : [],
      ),
      next: isMore ? (read.at(-1)?.groupId ?? null) : null,
    };
  }
}

/** The first `limit` items of a query that asked for one more, and whether more follow. */
function cut({ Items = [], LastEvaluatedKey }: QueryCommandOutput, limit: number): [Item[], boolean] {
  return [Items.slice(0, limit), Items.length > limit || LastEvaluatedKey !== undefined];
}

function membershipIn(item: Item) {
  const fact = readItem(item);
  if (fact.kind !== 'membership') throw new Error(`not a membership, but a ${fact.kind}`);
  return fact;
}

/** The one write that takes a membership from what it is believed to be to what it becomes. */
function updateOf(
  userId: UserId,
  groupId: GroupId,
  current: MembershipState | null,
  next: MembershipState,
): Update {
  const key = membershipKey(userId, groupId);
  if (next.kind === 'departed') return departure(key, userId, groupId, next);
  if (current?.kind === 'member' && current.generation === next.generation) {
    const moved = REGISTER_NAMES.filter((name) => isPast(next[name], current[name]));
    return {
      key,
      set: Object.assign({}, ...moved.map((name) => registerItem(name, next[name]))),
      remove: timeless(next, moved),
      conditions: [
        exists(CURRENT_MEMBER),
        equals('generation', { N: String(next.generation) }),
        ...moved.map((name) => isBelow(name, { S: registerText(name, next[name]) })),
        // What is made of a membership holds for the revision it was made from, not for a later one: also that the
        // own view stays.
        beginsWith('self', revisionPrefix(current.self.revision)),
      ],
    };
  }
  return {
    key,
    set: membershipItem(userId, groupId, next),
    remove: [FORMER_MEMBER, 'expiresAt', ...timeless(next, REGISTER_NAMES)],
    conditions: current ? unchanged(current) : [isAbsent],
  };
}

/** A departure beats every membership up to its generation, whatever its registers: no read is needed before it. */
function departure(key: Update['key'], userId: UserId, groupId: GroupId, next: Departure): Update {
  const generation = { N: String(next.generation) };
  return {
    key,
    set: {
      kind: { S: 'membership' },
      groupId: { S: groupId },
      [FORMER_MEMBER]: { S: userId },
      generation,
      expiresAt: { N: String(Math.floor(next.generation / 1000) + DEPARTURE_DAYS * 86_400) },
    },
    remove: [CURRENT_MEMBER, 'joinedAfter', ...REGISTER_NAMES, ...REGISTER_NAMES.map(timeOf)],
    conditions: [anyOf(isAbsent, isAtMost('generation', generation))],
  };
}

/** The attributes of times that a state does not have. */
function timeless(next: Membership, names: readonly RegisterName[]): string[] {
  return names.filter((name) => next[name].at === null).map(timeOf);
}

/** That the ledger still holds exactly this state, for a write that replaces all of it. */
function unchanged(state: MembershipState): Clause[] {
  const generation = equals('generation', { N: String(state.generation) });
  if (state.kind === 'departed') return [generation, lacks(CURRENT_MEMBER)];
  const registers = REGISTER_NAMES.map((name) => equals(name, { S: registerText(name, state[name]) }));
  return [generation, exists(CURRENT_MEMBER), ...registers];
}
