import { QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { type Belonging, type Joining, NO_BELONGING } from '../domain/belonging.ts';
import { unavailable } from '../domain/errors.ts';
import { type GroupId, parseUserId, type UserId } from '../domain/ids.ts';
import { advance, isPast, isSame, type Membership, type MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import {
  belongingOf,
  CURRENT_MEMBER,
  corrupt,
  FORMER_MEMBER,
  HISTORY_NAMES,
  historyItem,
  type Item,
  membershipItem,
  membershipState,
  REGISTER_NAMES,
  type RegisterName,
  registerItem,
  registerText,
  revisionPrefix,
  timeOf,
} from './items.ts';
import { AFTER_ALL_GROUPS, BEFORE_ALL_GROUPS, justAfter, membershipKey, userPartition } from './keys.ts';
import { PassedOver, passingOver } from './passed-over.ts';
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

/**
 * How a membership moves; the same state, or null where there is none, means that nothing is to be written. It neither
 * begins nor ends a membership.
 */
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

/** When a sender moves to its message. */
export interface SenderMove {
  /** When the message was sent: who joined later, by a fact, does not move. Null where every member does. */
  readonly sentAtMs?: number | null;
  /** The message was recorded before: a sender who has moved to it then does not move again. */
  readonly isRepeated?: boolean;
}

/** Another writer must win this often in a row before a write gives up. */
const MAX_ATTEMPTS = 10;

/** How long a departure is kept after it was written: longer than any retry, queue or stream keeps what is late. */
const DEPARTURE_SECONDS = 30 * 86_400;

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

  /**
   * The memberships, and departures, that there are of these users. One that cannot be read is passed over. One call
   * for each hundred.
   */
  async readMany(userIds: readonly UserId[], groupId: GroupId): Promise<Map<UserId, MembershipState>> {
    return passingOver((passedOver) => this.#readMany(userIds, groupId, passedOver));
  }

  async #readMany(
    userIds: readonly UserId[],
    groupId: GroupId,
    passedOver: PassedOver,
  ): Promise<Map<UserId, MembershipState>> {
    const items = await this.#table.getMany(userIds.map((userId) => membershipKey(userId, groupId)));
    const facts = items.flatMap((item) => passedOver.read(item, 'membership') ?? []);
    return new Map(facts.map(({ userId, state }) => [userId, state]));
  }

  /** The same, with the joinings and departures that were heard of. */
  async readBelonging(userId: UserId, groupId: GroupId): Promise<Belonging> {
    const item = await this.#table.get(membershipKey(userId, groupId));
    return item ? belongingOf(item) : NO_BELONGING;
  }

  /**
   * Moves a membership to what `transition` makes of it and returns the state that the ledger then holds.
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
      if (current?.kind !== 'member' || next.kind !== 'member') {
        throw new Error('a move of a membership may neither begin nor end it');
      }
      const { applied, item } = await this.#table.update(moveOf(userId, groupId, current, next));
      if (applied) return { state: membershipState(item), changed: true };
      current = item && membershipState(item);
    }
    throw unavailable(new Error('a membership changed faster than it could be written'));
  }

  /**
   * Brings what a user is to a group to what `hear` makes of it, where the same object means that nothing is to be
   * written. Nothing is read before the first try: it is made for a user of whom the ledger knows nothing.
   */
  async hear(
    userId: UserId,
    groupId: GroupId,
    hear: (known: Belonging) => Belonging,
    nowMs: number,
  ): Promise<{ readonly before: Belonging; readonly after: Belonging }> {
    let item: Item | null = null;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const before = item ? belongingOf(item) : NO_BELONGING;
      const after = hear(before);
      if (after === before) return { before, after };
      const written = await this.#table.update(belongingUpdate(userId, groupId, item, after, nowMs));
      if (written.applied) return { before, after: belongingOf(written.item) };
      item = written.item;
    }
    throw unavailable(new Error('a membership changed faster than it could be written'));
  }

  /**
   * Moves the sender of a message up to it. Written without a read, for what is nearly always so: the sender is a
   * member, stands below its own new message and marked nothing unread in this membership. Returns null where nobody
   * moves.
   */
  async advanceSender(
    userId: UserId,
    groupId: GroupId,
    position: Position,
    at: number,
    { sentAtMs = null, isRepeated = false }: SenderMove = {},
  ): Promise<MembershipState | null> {
    const own = { S: revisionPrefix(0) + position };
    const reached = { S: position };
    const time = { N: String(at) };
    const { applied, item } = await this.#table.update({
      key: membershipKey(userId, groupId),
      set: {
        ...{ self: own, public: reached, delivered: reached },
        ...Object.fromEntries(REGISTER_NAMES.map((name) => [timeOf(name), time])),
      },
      conditions: [
        exists(CURRENT_MEMBER),
        beginsWith('self', revisionPrefix(0)),
        isBelow('self', own),
        isBelow('public', reached),
        isBelow('delivered', reached),
        // A generation is never below the time of the joining.
        ...(sentAtMs === null ? [] : [isBelow('generation', { N: String(sentAtMs) })]),
      ],
    });
    if (applied) return membershipState(item);
    if (!item) return null;
    const { state, joinings } = belongingOf(item);
    if (state?.kind !== 'member') return null;
    const [since] = joinings;
    if (sentAtMs !== null && since && isBefore(sentAtMs, since)) return null;
    // It has moved already. Since then it may have marked the message unread.
    if (isRepeated && state.public.position >= position) return null;
    const forward: Transition = (current) =>
      current?.kind === 'member' && current.generation === state.generation
        ? advance(current, position, at)
        : current;
    return (await this.change(userId, groupId, forward, state)).state;
  }

  /**
   * One page of a group's current members, ordered by user id. A page may have fewer than `limit` and yet not be the
   * last: a membership that cannot be read is passed over. The index lags behind the ledger for a moment; the
   * memberships themselves are read as they are.
   */
  async page(groupId: GroupId, limit: number, after: UserId | null): Promise<MembersPage> {
    return passingOver((passedOver) => this.#page(groupId, limit, after, passedOver));
  }

  async #page(
    groupId: GroupId,
    limit: number,
    after: UserId | null,
    passedOver: PassedOver,
  ): Promise<MembersPage> {
    const query = {
      IndexName: this.#indexName,
      KeyConditionExpression: after ? 'groupId = :group AND userId > :after' : 'groupId = :group',
      ExpressionAttributeValues: { ':group': { S: groupId }, ...(after && { ':after': { S: after } }) },
    };
    const { entries, isMore } = await this.#pageOf(query, limit, [...KEY_NAMES, ...INDEX_NAMES], (item) => {
      const userId = parseUserId(item.userId?.S);
      if (!userId) passedOver.note(corrupt(item, CURRENT_MEMBER));
      return userId;
    });
    // Items of other kinds may be in the index, too.
    const userIds = [...new Set(entries)];
    const found = await this.#readMany(userIds, groupId, passedOver);
    const members = userIds.flatMap((userId) => {
      const state = found.get(userId);
      return state?.kind === 'member' ? [{ userId, membership: state }] : [];
    });
    return { members, next: isMore ? (userIds.at(-1) ?? null) : null };
  }

  /** Every current member of a group that can be read, `pageSize` at a time. */
  async *everyone(groupId: GroupId, pageSize: number): AsyncGenerator<Member> {
    const passedOver = new PassedOver();
    let after: UserId | null = null;
    try {
      do {
        const page: MembersPage = await this.#page(groupId, pageSize, after, passedOver);
        yield* page.members;
        after = page.next;
      } while (after);
    } finally {
      passedOver.log();
    }
  }

  /**
   * One page of the groups that a user is a member of, ordered by group id, as they are. A page may have fewer than
   * `limit` and yet not be the last: who has left a group is passed over, and so is what cannot be read.
   */
  async ofUser(
    userId: UserId,
    limit: number,
    after: GroupId | null,
  ): Promise<{
    readonly memberships: readonly { groupId: GroupId; membership: Membership }[];
    readonly next: GroupId | null;
  }> {
    const query = {
      KeyConditionExpression: 'PK = :user AND SK BETWEEN :after AND :end',
      ExpressionAttributeValues: {
        ':user': userPartition(userId),
        ':after': after ? justAfter(membershipKey(userId, after).SK) : BEFORE_ALL_GROUPS,
        ':end': AFTER_ALL_GROUPS,
      },
      ConsistentRead: true,
    };
    const { entries, isMore } = await passingOver((passedOver) =>
      this.#pageOf(query, limit, KEY_NAMES, (item) => {
        const fact = passedOver.read(item, 'membership');
        // Pages go on after a group id: one that is not the key's would lead them back.
        if (!fact || membershipKey(userId, fact.groupId).SK.S === item.SK?.S) return fact;
        passedOver.note(corrupt(item, 'groupId'));
        return null;
      }),
    );
    return {
      memberships: entries.flatMap(({ groupId, state }) =>
        state.kind === 'member' ? [{ groupId, membership: state }] : [],
      ),
      next: isMore ? (entries.at(-1)?.groupId ?? null) : null,
    };
  }

  /**
   * What `read` makes of the first `limit` items of a query, but for those it returns null for, and whether more follow.
   * The next page begins after the last entry, so there is one unless nothing follows: where nothing of a page can be
   * read, the next one is read at once. `keyNames` are the attributes that a page of this query can begin after.
   */
  async #pageOf<T>(
    query: Omit<QueryCommandInput, 'TableName' | 'Limit' | 'ExclusiveStartKey'>,
    limit: number,
    keyNames: readonly string[],
    read: (item: Item) => T | null,
  ): Promise<{ readonly entries: T[]; readonly isMore: boolean }> {
    let start: Item | null = null;
    for (;;) {
      const command: QueryCommand = new QueryCommand({
        ...query,
        TableName: this.#table.name,
        // Whether more follow is known from one more.
        Limit: limit + 1,
        ...(start && { ExclusiveStartKey: start }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#table.call(() => this.#table.client.send(command));
      const items = Items.slice(0, limit);
      const isMore = Items.length > limit || LastEvaluatedKey !== undefined;
      const entries = items.flatMap((item) => read(item) ?? []);
      if (entries.length > 0 || !isMore) return { entries, isMore };
      const last = Items.length > limit ? items.at(-1) : LastEvaluatedKey;
      start = Object.fromEntries(Object.entries(last ?? {}).filter(([name]) => keyNames.includes(name)));
    }
  }
}

/** The attributes that key an item in the table, and in the index of a group's members. */
const KEY_NAMES = ['PK', 'SK'];
const INDEX_NAMES = ['groupId', CURRENT_MEMBER];

/** The one write that moves a membership from what it is believed to be to what it becomes. */
function moveOf(userId: UserId, groupId: GroupId, current: Membership, next: Membership): Update {
  const moved = REGISTER_NAMES.filter((name) => isPast(next[name], current[name]));
  return {
    key: membershipKey(userId, groupId),
    set: Object.assign({}, ...moved.map((name) => registerItem(next, name))),
    remove: timeless(next, moved),
    conditions: [
      exists(CURRENT_MEMBER),
      equals('generation', { N: String(next.generation) }),
      ...moved.map((name) => isBelow(name, { S: registerText(next, name) })),
      // The transition was computed for this revision; a later one must compute it again, even if `self` did not move.
      beginsWith('self', revisionPrefix(current.self.revision - current.firstRevision)),
    ],
  };
}

/** The attributes that a write of a whole belonging must find as they were read. */
const COMPARED_NAMES = [CURRENT_MEMBER, 'generation', 'firstRevision', ...REGISTER_NAMES, ...HISTORY_NAMES];

/** The one write that replaces all of what a user is to a group; `item` is what was read, null where nothing was. */
function belongingUpdate(
  userId: UserId,
  groupId: GroupId,
  item: Item | null,
  next: Belonging,
  nowMs: number,
): Update {
  const key = membershipKey(userId, groupId);
  const { state } = next;
  if (!state) throw new Error('what was heard of a user cannot be forgotten');
  const unchanged = (read: Item): Clause[] =>
    COMPARED_NAMES.map((name) => (read[name] ? equals(name, read[name]) : lacks(name)));
  const history = historyItem(next);
  const without = (names: readonly string[], set: Item) => names.filter((name) => !(name in set));
  if (state.kind === 'departed') {
    const generation = { N: String(state.generation) };
    const set = {
      kind: { S: 'membership' },
      groupId: { S: groupId },
      [FORMER_MEMBER]: { S: userId },
      generation,
      expiresAt: { N: String(Math.floor(nowMs / 1000) + DEPARTURE_SECONDS) },
      ...history,
    };
    return {
      key,
      set,
      // What is left of the own view tells the revision that a later membership starts after.
      remove: [
        CURRENT_MEMBER,
        'joinedAfter',
        'joinings',
        'public',
        'delivered',
        ...REGISTER_NAMES.map(timeOf),
      ],
      // A departure ends every membership that began up to it, whatever its registers: no read is needed before it.
      conditions: item
        ? unchanged(item)
        : [anyOf(isAbsent, isAtMost('generation', generation)), lacks('joinings')],
    };
  }
  const set = { ...membershipItem(userId, groupId, state), ...history };
  return {
    key,
    set,
    remove: [
      FORMER_MEMBER,
      'expiresAt',
      ...timeless(state, REGISTER_NAMES),
      ...without(['firstRevision', ...HISTORY_NAMES], set),
    ],
    conditions: item ? unchanged(item) : [isAbsent],
  };
}

/**
 * Whether a message was sent before a joining that was heard of as a fact. One sent at the very time of the joining is
 * before it; but where the member starts after what was sent by then, it stands at that message all the same.
 * Who joined by the route is a member from that call on: the times of facts are not compared with it.
 */
function isBefore(sentAtMs: number, { at, heardAt, isGiven = false }: Joining): boolean {
  const isByFact = heardAt !== at;
  return isByFact && (isGiven ? sentAtMs <= at : sentAtMs < at);
}

/** The attributes of times that a state does not have. */
function timeless(next: Membership, names: readonly RegisterName[]): string[] {
  return names.filter((name) => next[name].at === null).map(timeOf);
}
