/*
 * Tidemark as the contract describes it, in arrays and loops: slow, simple, and independent. Nothing here comes from
 * the service, so that a mistake there is not repeated here. 0n stands for "no message".
 *
 * The words of the model, by an example:
 *
 *   A *history* is a list of *steps*; a step is one *operation*, or several at once:
 *     [join ann]  [record 1 by ben]  [mark 1 by ann, record 2 by ben]  [get watermark of ann]
 *   An operation has *parts*, each atomic, and each gives one *piece* of the answer. "mark 1 by ann" has two:
 *     'answer'      {"status":200,"body":{"groupId":"g","userId":"ann","advanced":true,"clamped":false}}
 *     'afterwards'  {"messageId":"1","readAt":...,"revision":0,"unread":...}   read after the change
 *   A part run on a *state* gives its possible *outcomes*: the next state, and the *expected* piece. In the third step
 *   "record 2" runs before or after 'afterwards': so its unread count is 1 or 0, and both agree with the contract.
 *   readAt is a *moment*: a time that the model does not know. The first answer that has it determines it: it is
 *   *learned*, and later answers must have the same time. A clamped mark leaves a *note*, which may be applied later.
 */

/** The time at which a register moved. The first answer with it determines it, and every later one must agree. */
export class Moment {
  readonly operation: number;
  readonly what: string;
  /** The possible times: `within` the operation, `since` its start, or any (`none`). */
  readonly bounds: 'within' | 'since' | 'none';

  constructor(operation: number, what: string, bounds: 'within' | 'since' | 'none' = 'within') {
    this.operation = operation;
    this.what = what;
    this.bounds = bounds;
  }
}

/** The revision of a user who joined again: the contract has only a lower bound for it. */
export class Revision {
  /** The name of the first revision among what is learned. */
  readonly key: string;
  readonly above: number;
  readonly isNone: readonly number[];
  readonly raises: number;

  constructor(key: string, { above, isNone }: UnknownRevision, raises: number) {
    this.key = key;
    this.above = above;
    this.isNone = isNone;
    this.raises = raises;
  }
}

/** Several answers, if the contract does not say which. */
export class OneOf {
  readonly alternatives: readonly [Expected, ...Expected[]];

  constructor(...alternatives: readonly [Expected, ...Expected[]]) {
    this.alternatives = alternatives;
  }
}

/** A field that an answer may leave out. */
export class Optional {
  readonly expected: Expected;

  constructor(expected: Expected) {
    this.expected = expected;
  }
}

/** Stands for any text. */
export const SOME_TEXT = Symbol('some text');
/** Stands for the list of faults of a request. */
export const SOME_ERRORS = Symbol('some errors');
/** Stands for a boolean that the contract leaves open. */
export const SOME_BOOLEAN = Symbol('true or false');
/** Stands for anything: the contract does not say what. */
export const ANYTHING = Symbol('anything');

export type Expected =
  | null
  | boolean
  | number
  | string
  | Moment
  | Revision
  | Optional
  | OneOf
  | typeof SOME_TEXT
  | typeof SOME_ERRORS
  | typeof SOME_BOOLEAN
  | typeof ANYTHING
  | readonly Expected[]
  | { readonly [name: string]: Expected };

/** What answers have shown so far: the times of moments, and the revisions that memberships began with. */
export type Learned = Readonly<Record<string, string | number>>;

/** The revision that a membership began with, until an answer has it. */
export interface UnknownRevision {
  readonly above: number;
  readonly isNone: readonly number[];
}

export interface Member {
  readonly userId: string;
  /** Identifies this membership among all of the user. */
  readonly membership: string;
  /** The tick in the fact; null for a call of a route. */
  readonly joinedAt: number | null;
  /** The operation that let it join. */
  readonly joinedBy: number;
  /** Null while it is a member. */
  readonly leftAt: Moment | null;
  readonly joinedAfter: bigint;
  /** The revision that the membership began with. */
  readonly base: number | UnknownRevision;
  /** How often the own view was moved back since. */
  readonly raises: number;
  readonly own: bigint;
  readonly ownAt: Moment | null;
  readonly shown: bigint;
  readonly shownAt: Moment | null;
  readonly delivered: bigint;
  readonly deliveredAt: Moment | null;
  readonly preferences: Preferences;
  /** The messages that it sent while its receipts were hidden. */
  readonly sentPrivately: readonly bigint[];
}

/** The values of preferences. */
export interface PreferenceValues {
  readonly notify: 'all' | 'mentions' | 'none';
  readonly mutedUntil: string | null;
  readonly hideReceipts: boolean;
  readonly archive: 'no' | 'untilNew' | 'always';
}

export interface Preferences extends PreferenceValues {
  /** The newest message that was not silent when it was archived. */
  readonly archivedAt: bigint;
  readonly changedAt: Moment | null;
  /** The revision that they began with. */
  readonly base: number | UnknownRevision;
  /** How often they were changed since. */
  readonly raises: number;
}

/** The preferences that a call sets. Undefined if it does not. */
export type PreferencesPatch = {
  readonly [name in keyof PreferenceValues]: PreferenceValues[name] | undefined;
};

export const NO_PATCH: PreferencesPatch = {
  notify: undefined,
  mutedUntil: undefined,
  hideReceipts: undefined,
  archive: undefined,
};

export const DEFAULT_PREFERENCES: PreferenceValues = {
  notify: 'all',
  mutedUntil: null,
  hideReceipts: false,
  archive: 'no',
};

/** Which groups a call marks. */
export interface AllWanted {
  readonly parentId: string | undefined;
  readonly unmutedOnly: boolean | undefined;
}

/** Who may read receipts. */
export type ReceiptsPolicy = 'members' | 'sender' | 'off';

/** The settings of a group that a call sets. Undefined if it does not. */
export interface GroupSettings {
  readonly parentId: string | null | undefined;
  readonly receipts: ReceiptsPolicy | undefined;
}

/** What is done when a member's receipts are hidden. */
export type HiddenWhen = 'reading' | 'sending' | 'applied later';

export interface Message {
  readonly messageId: bigint;
  /** Null if it was deleted and never recorded. */
  readonly senderId: string | null;
  readonly deleted: boolean;
  /** The operation that recorded it. */
  readonly recordedBy: number | null;
  /** The tick in the fact; null for a call of a route. */
  readonly sentAt: number | null;
  readonly isSilent: boolean;
  readonly mentions: Mentions;
  /** Whether the sender's own watermark moves to it. */
  readonly advancesSender: boolean;
  /** Null if there is none, or it has been. */
  readonly reminder: Reminder | null;
}

/** When the members of a message's audience are named who have not read it. */
export interface Reminder {
  /** Counted from when the message was sent. */
  readonly afterSeconds: number;
  /** How long before its recording the message was sent. */
  readonly sentSecondsAgo: number;
}

/** The users that a message mentions. */
export type Mentions = 'all' | readonly string[];

/** What a back end may say of a message. Undefined if it does not. */
export interface Attributes {
  readonly silent: boolean | undefined;
  readonly mentions: Mentions | undefined;
  readonly advanceSender: boolean | undefined;
  readonly remindAfterSeconds: number | undefined;
}

export const NO_ATTRIBUTES: Attributes = {
  silent: undefined,
  mentions: undefined,
  advanceSender: undefined,
  remindAfterSeconds: undefined,
};

/** The facts that the chat puts on the bus. Times are ticks: only their order matters here. */
export type Fact =
  | {
      readonly kind: 'sent';
      readonly messageId: bigint;
      readonly senderId: string;
      readonly at: number;
      readonly attributes: Attributes;
    }
  | { readonly kind: 'deleted'; readonly messageId: bigint }
  | {
      readonly kind: 'joined';
      readonly userId: string;
      readonly at: number;
      readonly joinedAfter: bigint | undefined;
    }
  | { readonly kind: 'left'; readonly userId: string; readonly at: number };

export type Moves = Readonly<Record<'own' | 'shown' | 'delivered', boolean>>;

/** A clamped mark, which may be applied when its message is recorded. */
export interface Note {
  readonly userId: string;
  readonly membership: string;
  readonly raises: number;
  readonly messageId: bigint;
  readonly moves: Moves;
  /** The operation that raised the head to it; null until then. */
  readonly dueSince: number | null;
}

export interface Group {
  readonly groupId: string;
  readonly parentId: string | null;
  readonly receipts: ReceiptsPolicy;
  readonly head: bigint;
  readonly messages: readonly Message[];
  readonly members: readonly Member[];
  /** Past memberships, the oldest first: a new one has a higher revision. */
  readonly former: readonly Member[];
  /**
   * Users that left while they were not members, or were erased: their first revision is not promised to be 0, though no
   * earlier membership is known.
   */
  readonly perhapsReturning: readonly string[];
  readonly notes: readonly Note[];
  /** How often it was deleted. */
  readonly deletions: number;
  /** In the order of arrival, each once. */
  readonly facts: readonly Fact[];
}

export interface State {
  readonly groups: readonly Group[];
  readonly learned: Learned;
}

export const EMPTY: State = { groups: [], learned: {} };

/**
 * What an operation sees of a group's messages. An answer may combine several reads. If nothing else runs they see the
 * same; while messages are recorded and deleted, each sees some moment of that time.
 */
export interface View {
  readonly headBefore: bigint;
  readonly head: bigint;
  readonly messages: readonly Message[];
  /** How often the group was deleted then: after a deletion nothing of before it is seen. */
  readonly deletions: number;
}

export const MAX_ID = 2n ** 64n - 1n;

/** The registers of a member, as they are exported. */
export type Exported = Pick<
  Member,
  'own' | 'ownAt' | 'shown' | 'shownAt' | 'delivered' | 'deliveredAt' | 'preferences'
>;

export interface Rules {
  clamp(messageId: bigint, head: bigint): bigint;
  /** What a mark moves; `stale` if its ifRevision is not the current revision. */
  moves(mark: { readonly isPrivate: boolean; readonly stale: boolean }): Moves;
  isUnread(message: Message, member: Member): boolean;
  /** Whether it counts as an unread mention of the member. */
  isMention(message: Message, member: Member): boolean;
  /** The first unread message; null if there is none. */
  firstUnread(unread: readonly Message[], head: bigint): bigint | null;
  /** What stays of a known message that is recorded again under its sender. */
  recordedAgain(known: Message, again: Message): Message;
  isRead(messageId: bigint, message: Message | undefined, member: Member): boolean | typeof SOME_BOOLEAN;
  audience(group: Group, message: Message): readonly Member[];
  headAfterDeleting(group: Group, messageId: bigint): bigint;
  afterDeletingGroup(group: Group): Group;
  afterErasing(group: Group, userId: string): Group;
  /** What a user's export has of a member. */
  exported(member: Member): Exported;
  viewOnJoining(group: Group, userId: string, from: bigint): bigint;
  /** The first revision of a membership after the earlier ones in the group; `above` if there were any. */
  revisionOnJoining(above: number | null): number | UnknownRevision;
  /** Whether recording moves the sender's watermark. */
  movesSender(record: {
    /** The message was not recorded before. */
    readonly isFirst: boolean;
    /** The message is recorded under this sender. */
    readonly isTheirs: boolean;
    readonly isShownAsRead: boolean;
    /** What the first recording said. */
    readonly advances: boolean;
    readonly isAmongSeveral: boolean;
  }): 'surely' | 'perhaps' | 'never';
  checksRevision(mark: { readonly inBatch: boolean }): boolean;
  /** The state of the member that an entry of a batch is compared with. */
  comparesTo(current: Member, beforeBatch: Member): Member;
  /** The facts that count, in the order in which they happened. */
  inOrder(facts: readonly Fact[]): readonly Fact[];
  afterEviction(group: Group): Group;
  /** Whether what the member does is hidden from others. */
  isHidden(member: Member, when: HiddenWhen): boolean;
  /** The member after its preferences were set, before their revision is raised. */
  withPreferences(member: Member, patch: PreferencesPatch, loud: bigint): Member;
  /** Whether setting preferences raises their revision. */
  raisesPreferences(patch: { readonly isDifferent: boolean }): boolean;
  preferencesOnJoining(group: Group, userId: string): PreferenceValues & { readonly archivedAt: bigint };
  isArchived(preferences: Preferences, view: View): boolean;
  /** Whether the group's parent may be set to this one. */
  mayBecomeParent(group: Group, parentId: string | null): boolean;
  /** Whether a member may read the receipts of a message. */
  mayRead(receipts: {
    readonly policy: ReceiptsPolicy;
    readonly isSender: boolean;
    readonly isList: boolean;
  }): boolean;
  /** Whether an inbox lists a group; `asked` is the request's parameter. */
  isListed(group: { readonly isArchived: boolean; readonly asked: boolean | undefined }): boolean;
  /** What of a member's group counts in the badge. */
  countsInBadge(group: {
    readonly isArchived: boolean;
    readonly isMuted: boolean;
    readonly notify: PreferenceValues['notify'];
  }): 'messages' | 'mentions' | 'nothing';
  /** The most messages of one group that the badge counts. */
  readonly badgeLimit: number;
  /** Whether a call that marks all groups marks this one. */
  isAmongAll(group: Group, member: Member, wanted: AllWanted): boolean;
  /** Whether the message has its reminder if the clock is turned so far. */
  isDue(message: Message, advanceSeconds: number): boolean;
  /** Whether the reminder of the message names a member of its audience. */
  isReminded(message: Message, member: Member): boolean;
  afterReminding(message: Message): Message;
  /** What a clamped mark moves when its message is recorded. */
  appliesLater(note: Note, member: Member): { readonly moves: Moves; readonly isSure: boolean };
}

const NOTHING: Moves = { own: false, shown: false, delivered: false };

export const RULES: Rules = {
  clamp: (messageId, head) => {
    if (head === 0n) return messageId === MAX_ID ? 0n : messageId;
    const isBeyond = messageId > head;
    return isBeyond ? head : messageId;
  },
  moves: ({ isPrivate, stale }) => ({ own: !stale, shown: !isPrivate, delivered: !isPrivate }),
  isUnread: (message, member) =>
    isRecorded(message) &&
    !message.deleted &&
    !message.isSilent &&
    message.messageId > member.own &&
    message.senderId !== member.userId,
  isMention: (message, member) => RULES.isUnread(message, member) && isMentioned(message, member.userId),
  firstUnread: ([first]) => first?.messageId ?? null,
  recordedAgain: (known) => known,
  isRead: (messageId, message, member) => {
    if (messageId <= member.own) return true;
    if (message?.senderId !== member.userId) return false;
    // Own messages are read. The contract leaves open whether a deleted message is still an own one.
    return message.deleted ? SOME_BOOLEAN : true;
  },
  audience: (group, message) =>
    group.members.filter(
      (member) => member.joinedAfter < message.messageId && member.userId !== message.senderId,
    ),
  headAfterDeleting: (group) => group.head,
  afterDeletingGroup: ({ groupId, members, former, perhapsReturning, deletions, facts }) => ({
    ...groupOf(EMPTY, groupId),
    former: [...former, ...members],
    perhapsReturning,
    deletions: deletions + 1,
    facts,
  }),
  afterErasing: (group, userId) => {
    const isKept = (member: Member) => member.userId !== userId;
    const [members, former] = [group.members.filter(isKept), group.former.filter(isKept)];
    if (members.length === group.members.length && former.length === group.former.length) return group;
    return { ...withPerhapsReturning(group, userId), members, former };
  },
  exported: (member) => member,
  viewOnJoining: (_group, _userId, from) => from,
  revisionOnJoining: (above) => (above === null ? 0 : { above, isNone: [] }),
  movesSender: ({ isFirst, isTheirs, isShownAsRead, advances }) => {
    if (!isTheirs || !advances) return 'never';
    if (isFirst) return 'surely';
    // A sender that was not a member then may move or not. A member has moved: a second move would undo a mark unread.
    return isShownAsRead ? 'never' : 'perhaps';
  },
  checksRevision: () => true,
  comparesTo: (current) => current,
  inOrder: (facts) => facts.toSorted(byTime),
  afterEviction: (group) => group,
  isHidden: ({ preferences }) => preferences.hideReceipts,
  withPreferences: (member, patch, loud) => {
    const { archivedAt } = member.preferences;
    return {
      ...member,
      preferences: {
        ...member.preferences,
        ...given(patch),
        archivedAt: patch.archive === undefined ? archivedAt : loud,
      },
    };
  },
  raisesPreferences: ({ isDifferent }) => isDifferent,
  preferencesOnJoining: () => ({ ...DEFAULT_PREFERENCES, archivedAt: 0n }),
  isArchived: ({ archive, archivedAt }, { messages }) => {
    if (archive === 'untilNew') return newestLoud(messages) <= archivedAt;
    return archive === 'always';
  },
  mayBecomeParent: (group, parentId) => group.parentId === null || group.parentId === parentId,
  isListed: ({ isArchived, asked = false }) => isArchived === asked,
  countsInBadge: ({ isArchived, isMuted, notify }) => {
    if (isArchived || isMuted) return 'nothing';
    return notify === 'mentions' ? 'mentions' : 'messages';
  },
  badgeLimit: 500,
  isAmongAll: ({ parentId }, { preferences }, wanted) => {
    if (wanted.parentId !== undefined && parentId !== wanted.parentId) return false;
    return wanted.unmutedOnly !== true || !isMuted(preferences);
  },
  isDue: ({ deleted, isSilent, reminder }, advanceSeconds) => {
    if (deleted || isSilent || reminder === null) return false;
    return reminder.afterSeconds - reminder.sentSecondsAgo <= advanceSeconds;
  },
  isReminded: (message, { own, shown, preferences, userId }) => {
    const hasRead = message.messageId <= own || message.messageId <= shown;
    if (hasRead || isMuted(preferences)) return false;
    return preferences.notify !== 'mentions' || isMentioned(message, userId);
  },
  afterReminding: (message) => ({ ...message, reminder: null }),
  mayRead: ({ policy, isSender }) => policy === 'members' || (policy === 'sender' && isSender),
  appliesLater: (note, member) => {
    if (note.membership !== member.membership) return { moves: NOTHING, isSure: false };
    const isSameRevision = note.raises === member.raises;
    const isHidden = note.moves.shown && RULES.isHidden(member, 'applied later');
    const moves = isHidden ? privately(note.moves) : note.moves;
    return { moves: { ...moves, own: moves.own && isSameRevision }, isSure: false };
  },
};

export const isMuted = ({ notify, mutedUntil }: PreferenceValues) =>
  notify === 'none' || (mutedUntil !== null && Date.parse(mutedUntil) > Date.now());

/** What a private read moves. */
export const privately = (moves: Moves): Moves => ({ ...moves, shown: false, delivered: false });

/** The newest message that is not silent, deleted or not; 0n if there is none. */
export const newestLoud = (messages: readonly Message[]) =>
  messages.findLast((message) => isRecorded(message) && !message.isSilent)?.messageId ?? 0n;

/** The preferences that the patch sets. */
export function given({ notify, mutedUntil, hideReceipts, archive }: PreferencesPatch) {
  return {
    ...(notify !== undefined && { notify }),
    ...(mutedUntil !== undefined && { mutedUntil }),
    ...(hideReceipts !== undefined && { hideReceipts }),
    ...(archive !== undefined && { archive }),
  };
}

export const isMentioned = ({ mentions }: Message, userId: string) =>
  mentions === 'all' || mentions.includes(userId);

export const isRecorded = (message: Message) => message.senderId !== null;

const timeOf = (fact: Fact) => (fact.kind === 'deleted' ? Number.POSITIVE_INFINITY : fact.at);
/** At equal times a message comes before a join, and a departure wins. */
const RANKS = { sent: 0, joined: 1, left: 2, deleted: 3 } as const;
export function byTime(one: Fact, other: Fact): number {
  const ranks = RANKS[one.kind] - RANKS[other.kind];
  if (one.kind === 'deleted' || other.kind === 'deleted') return ranks;
  return timeOf(one) - timeOf(other) || ranks;
}

export function groupOf(state: State, groupId: string): Group {
  return (
    state.groups.find((group) => group.groupId === groupId) ?? {
      groupId,
      parentId: null,
      receipts: 'members',
      head: 0n,
      messages: [],
      members: [],
      former: [],
      perhapsReturning: [],
      notes: [],
      deletions: 0,
      facts: [],
    }
  );
}

/** The messages at this moment. */
export function viewOf(state: State, groupId: string): View {
  const { head, messages, deletions } = groupOf(state, groupId);
  return { headBefore: head, head, messages, deletions };
}

export function withGroup(state: State, changed: Group): State {
  return {
    ...state,
    groups: [...state.groups.filter((group) => group.groupId !== changed.groupId), changed].sort((a, b) =>
      a.groupId < b.groupId ? -1 : 1,
    ),
  };
}

export function withMember(group: Group, changed: Member): Group {
  return {
    ...group,
    members: [...group.members.filter((member) => member.userId !== changed.userId), changed].sort((a, b) =>
      a.userId < b.userId ? -1 : 1,
    ),
  };
}

export function withMessage(messages: readonly Message[], changed: Message): readonly Message[] {
  return [...messages.filter(({ messageId }) => messageId !== changed.messageId), changed].sort((a, b) =>
    a.messageId < b.messageId ? -1 : 1,
  );
}

export const memberOf = (group: Group, userId: string) =>
  group.members.find((member) => member.userId === userId);
export const messageOf = (messages: readonly Message[], messageId: bigint) =>
  messages.find((message) => message.messageId === messageId);
export const larger = (a: bigint, b: bigint) => (a > b ? a : b);

/** The position that a mark requests for each register. */
export interface Targets {
  readonly own: bigint;
  readonly shown: bigint;
  readonly delivered: bigint;
}

/** A mark up to a message, of the registers that it moves. */
export const upTo = (messageId: bigint, moves: Moves): Targets => ({
  own: moves.own ? messageId : 0n,
  shown: moves.shown ? messageId : 0n,
  delivered: moves.delivered ? messageId : 0n,
});

export const ALL: Moves = { own: true, shown: true, delivered: true };

export function advance(member: Member, targets: Targets, now: (what: string) => Moment): Member {
  let moved = member;
  if (targets.own > member.own) moved = { ...moved, own: targets.own, ownAt: now('own') };
  if (targets.shown > member.shown) moved = { ...moved, shown: targets.shown, shownAt: now('shown') };
  if (targets.delivered > member.delivered) {
    moved = { ...moved, delivered: targets.delivered, deliveredAt: now('delivered') };
  }
  return moved;
}

export const keyOfRevision = (membership: string) => `first revision of ${membership}`;
export const keyOfPreferences = (membership: string) => `first preferences of ${membership}`;

/** The current revision; null until an answer has it. */
export function revisionOf({ base, raises, membership }: Member, learned: Learned): number | null {
  const first = typeof base === 'number' ? base : learned[keyOfRevision(membership)];
  return typeof first === 'number' ? first + raises : null;
}

/** Whether the contract promises that the next membership of the user begins with revision 0 if there was none before. */
const beginsAtZero = ({ perhapsReturning, deletions }: Group, userId: string) =>
  deletions === 0 && !perhapsReturning.includes(userId);

/** The largest revision of all memberships of the user. Null if there was none. */
function revisionOfFormer(group: Group, userId: string, learned: Learned): number | null {
  const former = group.former.findLast((member) => member.userId === userId);
  if (former === undefined) return beginsAtZero(group, userId) ? null : -1;
  const known = revisionOf(former, learned);
  if (known !== null || typeof former.base === 'number') return known;
  return former.base.above + 1 + former.raises;
}

export interface Joining {
  readonly userId: string;
  readonly membership: string;
  readonly joinedAt: number | null;
  readonly joinedBy: number;
  readonly joinedAfter: bigint;
}

export function join(group: Group, joining: Joining, learned: Learned, rules: Rules): Group {
  const from = rules.viewOnJoining(group, joining.userId, joining.joinedAfter);
  const { userId } = joining;
  const isFirst = group.former.every((former) => former.userId !== userId);
  return withMember(group, {
    ...joining,
    leftAt: null,
    base: rules.revisionOnJoining(revisionOfFormer(group, joining.userId, learned)),
    raises: 0,
    own: from,
    ownAt: null,
    shown: from,
    shownAt: null,
    delivered: from,
    deliveredAt: null,
    preferences: {
      ...rules.preferencesOnJoining(group, userId),
      changedAt: null,
      // What they begin with after a departure or a deletion is not promised.
      base: isFirst && beginsAtZero(group, userId) ? 0 : { above: -1, isNone: [] },
      raises: 0,
    },
    sentPrivately: [],
  });
}

export function leave(group: Group, userId: string, leftAt: Moment): Group {
  const member = memberOf(group, userId);
  if (member === undefined) return withPerhapsReturning(group, userId);
  return {
    ...group,
    members: group.members.filter((other) => other !== member),
    former: [...group.former, { ...member, leftAt }],
  };
}

const withPerhapsReturning = (group: Group, userId: string): Group => ({
  ...group,
  perhapsReturning: [...new Set([...group.perhapsReturning, userId])].sort(),
});
