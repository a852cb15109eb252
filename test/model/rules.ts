import { SOME_BOOLEAN, type UnknownRevision } from './expected.ts';
import {
  byTime,
  DEFAULT_PREFERENCES,
  EMPTY,
  type Fact,
  type Group,
  given,
  groupOf,
  isMentioned,
  isMuted,
  isRecorded,
  MAX_ID,
  type Member,
  type Message,
  type Moves,
  type Note,
  newestLoud,
  type Preferences,
  type PreferencesPatch,
  type PreferenceValues,
  privately,
  type ReceiptsPolicy,
  type View,
  withPerhapsReturning,
} from './model.ts';

/** The rules of the contract that a model may have wrong: see wrong-models.ts. */
export interface Rules {
  /** What stays of a known message that is recorded again under its sender. */
  recordedAgain(known: Message, again: Message): Message;
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
  headAfterDeleting(group: Group, messageId: bigint): bigint;

  clamp(messageId: bigint, head: bigint): bigint;
  /** What a mark moves; `stale` if its ifRevision is not the current revision. */
  moves(mark: { readonly isPrivate: boolean; readonly stale: boolean }): Moves;
  checksRevision(mark: { readonly inBatch: boolean }): boolean;
  /** The state of the member that an entry of a batch is compared with. */
  comparesTo(current: Member, beforeBatch: Member): Member;
  /** What a clamped mark moves when its message is recorded. */
  appliesLater(note: Note, member: Member): { readonly moves: Moves; readonly isSure: boolean };
  /** Whether what the member does is hidden from others. */
  isHidden(member: Member, when: HiddenWhen): boolean;

  isUnread(message: Message, member: Member): boolean;
  /** Whether it counts as an unread mention of the member. */
  isMention(message: Message, member: Member): boolean;
  /** The first unread message; null if there is none. */
  firstUnread(unread: readonly Message[], head: bigint): bigint | null;
  isRead(messageId: bigint, message: Message | undefined, member: Member): boolean | typeof SOME_BOOLEAN;

  /** The members that may have receipts of the message. */
  audience(group: Group, message: Message): readonly Member[];
  /** Whether a member may read the receipts of a message. */
  mayRead(receipts: {
    readonly policy: ReceiptsPolicy;
    readonly isSender: boolean;
    readonly isList: boolean;
  }): boolean;

  viewOnJoining(group: Group, userId: string, from: bigint): bigint;
  /** The first revision of a membership after the earlier ones in the group; `above` if there were any. */
  revisionOnJoining(above: number | null): number | UnknownRevision;
  preferencesOnJoining(group: Group, userId: string): PreferenceValues & { readonly archivedAt: bigint };

  /** The member after its preferences were set, before their revision is raised. */
  withPreferences(member: Member, patch: PreferencesPatch, loud: bigint): Member;
  /** Whether setting preferences raises their revision. */
  raisesPreferences(patch: { readonly isDifferent: boolean }): boolean;
  isArchived(preferences: Preferences, view: View): boolean;
  /** Whether the group's parent may be set to this one. */
  mayBecomeParent(group: Group, parentId: string | null): boolean;

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

  /** What a user's export has of a member. */
  exported(member: Member): Exported;
  afterErasing(group: Group, userId: string): Group;
  afterDeletingGroup(group: Group): Group;

  /** The facts that count, in the order in which they happened. */
  inOrder(facts: readonly Fact[]): readonly Fact[];
  /** The group after the cache has lost some of it: the same, as the ledger has all. */
  afterEviction(group: Group): Group;
}

/** What is done when a member's receipts are hidden. */
type HiddenWhen = 'reading' | 'sending' | 'applied later';

/** Which groups a call marks. */
interface AllWanted {
  readonly parentId: string | undefined;
  readonly unmutedOnly: boolean | undefined;
}

/** The registers of a member, as they are exported. */
type Exported = Pick<
  Member,
  'own' | 'ownAt' | 'shown' | 'shownAt' | 'delivered' | 'deliveredAt' | 'preferences'
>;

const NOTHING: Moves = { own: false, shown: false, delivered: false };

export const RULES: Rules = {
  recordedAgain: (known) => known,
  movesSender: ({ isFirst, isTheirs, isShownAsRead, advances }) => {
    if (!isTheirs || !advances) return 'never';
    if (isFirst) return 'surely';
    // A sender that was not a member then may move or not. A member has moved: a second move would undo a mark unread.
    return isShownAsRead ? 'never' : 'perhaps';
  },
  headAfterDeleting: (group) => group.head,

  clamp: (messageId, head) => {
    if (head === 0n) return messageId === MAX_ID ? 0n : messageId;
    const isBeyond = messageId > head;
    return isBeyond ? head : messageId;
  },
  moves: ({ isPrivate, stale }) => ({ own: !stale, shown: !isPrivate, delivered: !isPrivate }),
  checksRevision: () => true,
  comparesTo: (current) => current,
  appliesLater: (note, member) => {
    if (note.membership !== member.membership) return { moves: NOTHING, isSure: false };
    const isSameRevision = note.raises === member.raises;
    const isHidden = note.moves.shown && RULES.isHidden(member, 'applied later');
    const moves = isHidden ? privately(note.moves) : note.moves;
    return { moves: { ...moves, own: moves.own && isSameRevision }, isSure: false };
  },
  isHidden: ({ preferences }) => preferences.hideReceipts,

  isUnread: (message, member) =>
    isRecorded(message) &&
    !message.deleted &&
    !message.isSilent &&
    message.messageId > member.own &&
    message.senderId !== member.userId,
  isMention: (message, member) => RULES.isUnread(message, member) && isMentioned(message, member.userId),
  firstUnread: ([first]) => first?.messageId ?? null,
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
  mayRead: ({ policy, isSender }) => policy === 'members' || (policy === 'sender' && isSender),

  viewOnJoining: (_group, _userId, from) => from,
  revisionOnJoining: (above) => (above === null ? 0 : { above, isNone: [] }),
  preferencesOnJoining: () => ({ ...DEFAULT_PREFERENCES, archivedAt: 0n }),

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

  exported: (member) => member,
  afterErasing: (group, userId) => {
    const isKept = (member: Member) => member.userId !== userId;
    const [members, former] = [group.members.filter(isKept), group.former.filter(isKept)];
    if (members.length === group.members.length && former.length === group.former.length) return group;
    return { ...withPerhapsReturning(group, userId), members, former };
  },
  afterDeletingGroup: ({ groupId, members, former, perhapsReturning, deletions, facts }) => ({
    ...groupOf(EMPTY, groupId),
    former: [...former, ...members],
    perhapsReturning,
    deletions: deletions + 1,
    facts,
  }),

  inOrder: (facts) => facts.toSorted(byTime),
  afterEviction: (group) => group,
};
