import { type AttributeValue, QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { applySending, type Belonging, NO_BELONGING } from '../domain/belonging.ts';
import type { Erasure } from '../domain/erasure.ts';
import { unavailable } from '../domain/errors.ts';
import { type GroupId, type Member, parseUserId, type UserId } from '../domain/ids.ts';
import {
  isPast,
  isSame,
  type Membership,
  type MembershipState,
  REGISTER_NAMES,
  type RegisterName,
} from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import type { PreferencesPatch } from '../domain/preferences.ts';
import {
  ARCHIVED_AT,
  belongingOf,
  CURRENT_MEMBER,
  corrupt,
  expiryOfEnded,
  FORMER_MEMBER,
  HIDDEN,
  HISTORY_NAMES,
  historyItem,
  type Item,
  membershipItem,
  membershipState,
  PREFERENCES_AT,
  PREFERENCES_NAMES,
  PREFERENCES_REVISION,
  patchAttributes,
  registerItem,
  registerText,
  revisionPrefix,
  timeOf,
} from './items.ts';
import {
  AFTER_ALL_GROUPS,
  BEFORE_ALL_GROUPS,
  erasureKey,
  justAfter,
  membershipKey,
  userPartition,
} from './keys.ts';
import { PassedOver, passingOver } from './passed-over.ts';
import {
  anyOf,
  beginsWith,
  type Clause,
  differs,
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
 * Computes how a membership moves. If it returns the same state, or null, nothing is written. It must neither begin nor
 * end a membership.
 */
export type Transition = (current: MembershipState | null) => MembershipState | null;

export interface CurrentMember {
  readonly userId: UserId;
  readonly membership: Membership;
}

/** Members in the order of their ids. The next page begins after `next`; null if there is none. */
export interface MembersPage {
  readonly members: readonly CurrentMember[];
  readonly next: UserId | null;
}

/** The result of `raise`: the state that it wrote, or what the ledger holds if it wrote nothing. */
export type Raised =
  | { readonly isRaised: true; readonly state: MembershipState }
  | { readonly isRaised: false; readonly known: Belonging };

/** A write gives up after it has lost to other writers this many times in a row. */
const MAX_ATTEMPTS = 10;

/** The ledger's memberships. The conditions of every write keep the law of merging: no write lowers a register. */
export class Memberships {
  readonly #table: Table;
  readonly #indexName: string;

  constructor(table: Table, indexName: string) {
    this.#table = table;
    this.#indexName = indexName;
  }

  async read(member: Member): Promise<MembershipState | null> {
    const item = await this.#table.get(membershipKey(member));
    return item && membershipState(item);
  }

  /**
   * Returns the existing memberships and departures of these users. Leaves out those that cannot be read. One call for
   * each hundred users.
   */
  async readMany(groupId: GroupId, userIds: readonly UserId[]): Promise<Map<UserId, MembershipState>> {
    return passingOver((passedOver) => this.#readMany(groupId, userIds, passedOver));
  }

  async #readMany(
    groupId: GroupId,
    userIds: readonly UserId[],
    passedOver: PassedOver,
  ): Promise<Map<UserId, MembershipState>> {
    const items = await this.#table.getMany(userIds.map((userId) => membershipKey({ groupId, userId })));
    const stored = items.flatMap((item) => passedOver.read(item, 'membership') ?? []);
    return new Map(stored.map(({ userId, state }) => [userId, state]));
  }

  /** The erasures of users that are under way, by user. One call for each hundred users. */
  async erasuresOf(userIds: readonly UserId[]): Promise<Map<UserId, Erasure>> {
    const items = await this.#table.getMany(userIds.map((userId) => erasureKey({ kind: 'user', userId })));
    return passingOver(async (passedOver) => {
      const erasures = items.flatMap((item) => passedOver.read(item, 'erasure')?.erasure ?? []);
      return new Map(
        erasures.flatMap((erasure) =>
          erasure.subject.kind === 'user' ? [[erasure.subject.userId, erasure] as const] : [],
        ),
      );
    });
  }

  /** As `read`, with the history of joinings and departures. */
  async readBelonging(member: Member): Promise<Belonging> {
    const item = await this.#table.get(membershipKey(member));
    return item ? belongingOf(item) : NO_BELONGING;
  }

  /**
   * Moves a membership by `transition` and returns the state that the ledger then holds. `expected` is the state to
   * start from, null for none. It may be old, but never ahead of the ledger. If it is old, the condition fails and
   * returns the current item, and the transition is computed again from that. Registers that have moved since, but not
   * past their new positions, do not fail it, as the result is the same; with `isExact` they do: for callers that also
   * answer from which state the membership moved.
   */
  async change(
    member: Member,
    transition: Transition,
    expected: MembershipState | null,
    { isExact = false } = {},
  ): Promise<{ readonly state: MembershipState | null; readonly changed: boolean }> {
    let current = expected;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const next = transition(current);
      if (!next || (current && isSame(current, next))) return { state: current, changed: false };
      if (current?.kind !== 'member' || next.kind !== 'member') {
        throw new Error('a move of a membership may neither begin nor end it');
      }
      if (next.preferences.revision !== current.preferences.revision) {
        throw new Error('a move of a membership may not change its preferences');
      }
      const { applied, item } = await this.#table.update(moveOf(member, current, next, isExact));
      if (applied) return { state: membershipState(item), changed: true };
      current = item && membershipState(item);
    }
    throw unavailable(new Error('a membership changed faster than it could be written'));
  }

  /**
   * Changes some of a member's preferences, without reading them first: what other calls change at the same time stays.
   * Returns what the ledger then holds. Nothing is written if the user is not a member or has these values already.
   */
  async setPreferences(member: Member, patch: PreferencesPatch, at: number): Promise<MembershipState | null> {
    const attributes = patchAttributes(patch);
    const values = attributes.flatMap(([name, value]) => (value ? [[name, value] as const] : []));
    const { item } = await this.#table.update({
      key: membershipKey(member),
      set: { ...Object.fromEntries(values), [PREFERENCES_AT]: { N: String(at) } },
      remove: attributes.flatMap(([name, value]) => (value ? [] : [name])),
      increment: PREFERENCES_REVISION,
      conditions: [
        exists(CURRENT_MEMBER),
        anyOf(...attributes.flatMap(([name, value]) => changes(name, value))),
      ],
    });
    return item && membershipState(item);
  }

  /**
   * Changes a belonging by `transition`. If it returns the same object, nothing is written. The first try needs no
   * read: it assumes that the ledger has no item, and its condition returns the item if there is one.
   */
  async changeBelonging(
    member: Member,
    transition: (known: Belonging) => Belonging,
    nowMs: number,
  ): Promise<{ readonly before: Belonging; readonly after: Belonging }> {
    let item: Item | null = null;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const before = item ? belongingOf(item) : NO_BELONGING;
      const after = transition(before);
      if (after === before) return { before, after };
      const written = await this.#table.update(belongingUpdate(member, item, after, nowMs));
      if (written.applied) return { before, after: belongingOf(written.item) };
      item = written.item;
    }
    throw unavailable(new Error('a membership changed faster than it could be written'));
  }

  /**
   * Moves all registers of a member up to a position without reading them first. The write assumes what is nearly
   * always true of a sender and its message: all registers are below the position, the member has marked nothing unread in
   * this membership, and its receipts are not hidden. If `generationBelow` is given, the generation must also be below it.
   * If one of these is not so, nothing changes and the result has what the ledger holds.
   */
  async raise(
    member: Member,
    position: Position,
    at: number,
    generationBelow: number | null = null,
  ): Promise<Raised> {
    const reached: Readonly<Record<RegisterName, AttributeValue>> = {
      self: { S: revisionPrefix(0) + position },
      public: { S: position },
      delivered: { S: position },
    };
    const time = { N: String(at) };
    const { applied, item } = await this.#table.update({
      key: membershipKey(member),
      set: {
        ...reached,
        ...Object.fromEntries(REGISTER_NAMES.map((name) => [timeOf(name), time])),
      },
      conditions: [
        exists(CURRENT_MEMBER),
        beginsWith('self', revisionPrefix(0)),
        lacks(HIDDEN),
        ...REGISTER_NAMES.map((name) => isBelow(name, reached[name])),
        anyOf(lacks('sentHidden'), isBelow('sentHidden', { S: position })),
        ...(generationBelow === null ? [] : [isBelow('generation', { N: String(generationBelow) })]),
      ],
    });
    if (applied) return { isRaised: true, state: membershipState(item) };
    return { isRaised: false, known: item ? belongingOf(item) : NO_BELONGING };
  }

  /**
   * Moves a sender up to its message, in the membership that is known. Returns the state that the ledger then holds.
   */
  async moveSender(
    sender: Member,
    position: Position,
    at: number,
    known: Belonging,
  ): Promise<MembershipState | null> {
    let before = known;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const after = applySending(before, position, at);
      const [current, next] = [before.state, after.state];
      if (after === before || current?.kind !== 'member' || next?.kind !== 'member') return current;
      if (current.generation !== known.state?.generation) return current;
      const { applied, item } = await this.#table.update(sendingOf(sender, before, after, current, next));
      if (applied) return membershipState(item);
      before = item ? belongingOf(item) : NO_BELONGING;
    }
    throw unavailable(new Error('a membership changed faster than it could be written'));
  }

  /**
   * One page of a group's current members, ordered by user id. It may have fewer than `limit` members without being the
   * last page, since unreadable memberships are left out. The index that lists the members may be a moment behind the
   * ledger; the memberships themselves are current.
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
    // The index may also list items of other kinds, so a user may appear twice.
    const userIds = [...new Set(entries)];
    const found = await this.#readMany(groupId, userIds, passedOver);
    const members = userIds.flatMap((userId) => {
      const state = found.get(userId);
      return state?.kind === 'member' ? [{ userId, membership: state }] : [];
    });
    return { members, next: isMore ? (userIds.at(-1) ?? null) : null };
  }

  /** Every readable current member of a group, read `pageSize` at a time. */
  async *everyone(groupId: GroupId, pageSize: number): AsyncGenerator<CurrentMember> {
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
   * One page of the groups that a user is a member of, ordered by group id, strongly consistent. It may have fewer than
   * `limit` groups without being the last page, since departures and unreadable items are left out.
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
        ':after': after ? justAfter(membershipKey({ groupId: after, userId }).SK) : BEFORE_ALL_GROUPS,
        ':end': AFTER_ALL_GROUPS,
      },
      ConsistentRead: true,
    };
    const { entries, isMore } = await passingOver((passedOver) =>
      this.#pageOf(query, limit, KEY_NAMES, (item) => {
        const stored = passedOver.read(item, 'membership');
        // The next page begins after this group id. If it differed from the key, pages could go back.
        if (!stored || membershipKey({ groupId: stored.groupId, userId }).SK.S === item.SK?.S) return stored;
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
   * Reads the first `limit` items of a query. Returns the results of `read` that are not null, and whether more items
   * follow. The next page begins after the last entry, so there must be one if more follow: if nothing on a page can be
   * read, the next page is read at once. `keyNames` are the attributes of the key that a page begins after.
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
        // One more than needed shows whether more follow.
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

/** The key attributes of the table and of the index of a group's members. */
const KEY_NAMES = ['PK', 'SK'];
const INDEX_NAMES = ['groupId', CURRENT_MEMBER];

/** The write that moves a membership from its expected state to the next; with `isExact`, from that state alone. */
function moveOf(member: Member, current: Membership, next: Membership, isExact = false): Update {
  const moved = REGISTER_NAMES.filter((name) => isPast(next[name], current[name]));
  const starts = isExact
    ? REGISTER_NAMES.map((name) => equals(name, { S: registerText(current, name) }))
    : moved.map((name) => isBelow(name, { S: registerText(next, name) }));
  return {
    key: membershipKey(member),
    set: Object.assign({}, ...moved.map((name) => registerItem(next, name))),
    remove: timeless(next, moved),
    conditions: [
      exists(CURRENT_MEMBER),
      equals('generation', { N: String(next.generation) }),
      ...starts,
      // The transition was computed for this revision; a later one must recompute it, even if `self` did not move.
      beginsWith('self', revisionPrefix(current.self.revision - current.firstRevision)),
      // The same: what is read while the receipts are hidden moves nothing public.
      current.preferences.hideReceipts ? exists(HIDDEN) : lacks(HIDDEN),
    ],
  };
}

/**
 * A patch changes an attribute if one of these holds. A group that is archived again stays archived at the later of both messages: the
 * head that a call has read may be older than that of another call.
 */
function changes(name: string, value: AttributeValue | null): Clause[] {
  if (!value) return [exists(name)];
  return [lacks(name), name === ARCHIVED_AT ? isBelow(name, value) : differs(name, value)];
}

/** The write that moves a sender, and notes the message if its receipts are hidden. */
function sendingOf(
  sender: Member,
  before: Belonging,
  after: Belonging,
  current: Membership,
  next: Membership,
): Update {
  const move = moveOf(sender, current, next);
  const { sentHidden } = after;
  if (sentHidden === null || sentHidden === before.sentHidden) return move;
  const noted = { S: sentHidden };
  return {
    ...move,
    set: { ...move.set, sentHidden: noted },
    conditions: [...move.conditions, anyOf(lacks('sentHidden'), isBelow('sentHidden', noted))],
  };
}

/** A write of a whole belonging is conditioned on these attributes: they must be as they were read. */
const COMPARED_NAMES = [
  CURRENT_MEMBER,
  'generation',
  'firstRevision',
  PREFERENCES_REVISION,
  ...REGISTER_NAMES,
  ...HISTORY_NAMES,
];

/** The write that replaces a whole belonging. `item` is what was read before, null if nothing was. */
function belongingUpdate(member: Member, item: Item | null, next: Belonging, nowMs: number): Update {
  const { groupId, userId } = member;
  const key = membershipKey(member);
  const { state } = next;
  if (!state) throw new Error('a belonging that was stored cannot become empty');
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
      expiresAt: expiryOfEnded(nowMs),
      ...history,
    };
    return {
      key,
      set,
      // `self` stays: a later membership starts in a revision above it.
      remove: [
        CURRENT_MEMBER,
        'joinedAfter',
        'joinings',
        'sentHidden',
        ...PREFERENCES_NAMES,
        ...REGISTER_NAMES.filter((name) => name !== 'self'),
        ...REGISTER_NAMES.map(timeOf),
      ],
      // A departure ends every membership that began at or before it, whatever its registers, so it needs no read
      // first.
      conditions: item
        ? unchanged(item)
        : [anyOf(isAbsent, isAtMost('generation', generation)), lacks('joinings')],
    };
  }
  const set = { ...membershipItem(member, state), ...history };
  return {
    key,
    set,
    remove: [
      FORMER_MEMBER,
      'expiresAt',
      ...timeless(state, REGISTER_NAMES),
      ...without(['firstRevision', ...PREFERENCES_NAMES, ...HISTORY_NAMES], set),
    ],
    conditions: item ? unchanged(item) : [isAbsent],
  };
}

/** The time attributes of registers that have no time. */
function timeless(next: Membership, names: readonly RegisterName[]): string[] {
  return names.filter((name) => next[name].at === null).map(timeOf);
}
