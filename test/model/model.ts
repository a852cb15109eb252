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
 *
 * Where they are:
 *
 *   values that the model does not know   expected.ts, agreement.ts
 *   the state, and how it changes         model.ts, rules.ts; memberships.ts, recording.ts, overtaking.ts, facts.ts ...
 *   what operations do and answer         part.ts, parts.ts, parts-of-*.ts
 *   operations, and random histories      operations.ts, choices.ts, histories.ts; scenes*.ts, timelines.ts, at-once.ts ...
 *   playing and comparing                 play.ts, explain.ts, search.ts, shorten.ts
 *   who answers                           perform.ts (the stack), simulated-service.ts (the model itself)
 */

import type { Learned, Moment, UnknownRevision } from './expected.ts';

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

/** Who may read receipts. */
export type ReceiptsPolicy = 'members' | 'sender' | 'off';

/** The settings of a group that a call sets. Undefined if it does not. */
export interface GroupSettings {
  readonly parentId: string | null | undefined;
  readonly receipts: ReceiptsPolicy | undefined;
}

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

/** At equal times a message comes before a join, and a departure wins. A deletion has no time, and comes last. */
const RANKS = { sent: 0, joined: 1, left: 2, deleted: 3 } as const;
export function byTime(one: Fact, other: Fact): number {
  const ranks = RANKS[one.kind] - RANKS[other.kind];
  if (one.kind === 'deleted' || other.kind === 'deleted') return ranks;
  return one.at - other.at || ranks;
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

/** See `perhapsReturning`. */
export const withPerhapsReturning = (group: Group, userId: string): Group => ({
  ...group,
  perhapsReturning: [...new Set([...group.perhapsReturning, userId])].sort(),
});
