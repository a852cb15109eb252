import { GROUPS } from './choices.ts';
import {
  byTime,
  DEFAULT_PREFERENCES,
  EMPTY,
  groupOf,
  isMentioned,
  isRecorded,
  type Member,
  newestLoud,
} from './model.ts';
import { RULES, type Rules } from './rules.ts';
import type { Focus } from './scenes.ts';

/** When a message counts as a mention. */
const MENTIONS: readonly (readonly [string, Rules['isMention']])[] = [
  [
    'counts mentions in own messages',
    (message, member) =>
      RULES.isUnread({ ...message, senderId: message.senderId && '' }, member) &&
      isMentioned(message, member.userId),
  ],
  [
    'counts mentions in deleted messages',
    (message, member) => RULES.isMention({ ...message, deleted: false }, member),
  ],
  [
    'counts mentions in silent messages',
    (message, member) => RULES.isMention({ ...message, isSilent: false }, member),
  ],
  ['counts mentions in read messages', (message, member) => RULES.isMention(message, { ...member, own: 0n })],
  [
    'does not count mentions of all',
    (message, member) => RULES.isMention(message, member) && message.mentions !== 'all',
  ],
  [
    'counts only mentions of all',
    (message, member) => RULES.isMention(message, member) && message.mentions === 'all',
  ],
  [
    'counts mentions of others',
    (message, member) => RULES.isUnread(message, member) && message.mentions.length > 0,
  ],
];

/** Who may read the receipts of a message. */
const POLICIES: readonly (readonly [string, Rules['mayRead']])[] = [
  ['shows receipts to all, whatever the policy of the group', () => true],
  [
    'shows the counts of the messages of others if receipts are for senders',
    (receipts) => RULES.mayRead({ ...receipts, isSender: receipts.isSender || !receipts.isList }),
  ],
  [
    'lists the readers of the messages of others if receipts are for senders',
    (receipts) => RULES.mayRead({ ...receipts, isSender: receipts.isSender || receipts.isList }),
  ],
  ['shows no receipts if they are for senders', ({ policy }) => policy === 'members'],
  ['shows receipts to senders if they are off', ({ policy, isSender }) => policy === 'members' || isSender],
];

/** What the badge counts. */
const BADGES: readonly (readonly [string, Rules['countsInBadge']])[] = [
  ['counts archived groups in the badge', (group) => RULES.countsInBadge({ ...group, isArchived: false })],
  ['counts muted groups in the badge', (group) => RULES.countsInBadge({ ...group, isMuted: false })],
  [
    'counts all messages of a group in the badge that notifies of mentions',
    (group) => RULES.countsInBadge({ ...group, notify: 'all' }),
  ],
  [
    'counts nothing in the badge of a group that notifies of mentions',
    (group) => (group.notify === 'mentions' ? 'nothing' : RULES.countsInBadge(group)),
  ],
  [
    'counts only mentions in the badge',
    (group) => (RULES.countsInBadge(group) === 'nothing' ? 'nothing' : 'mentions'),
  ],
];

/** Which groups are marked by a call that marks all. */
const ALL: readonly (readonly [string, Rules['isAmongAll']])[] = [
  [
    'marks muted groups with all unmuted ones',
    (group, member, wanted) => RULES.isAmongAll(group, member, { ...wanted, unmutedOnly: false }),
  ],
  [
    'marks no muted group with all groups',
    (group, member, wanted) => RULES.isAmongAll(group, member, { ...wanted, unmutedOnly: true }),
  ],
  [
    'marks groups of other parents',
    (group, member, wanted) => RULES.isAmongAll(group, member, { ...wanted, parentId: undefined }),
  ],
  [
    'marks a parent with its groups',
    (group, member, wanted) =>
      RULES.isAmongAll(
        group.groupId === wanted.parentId ? { ...group, parentId: group.groupId } : group,
        member,
        wanted,
      ),
  ],
  [
    'marks no archived group with all groups',
    (group, member, wanted) =>
      member.preferences.archive !== 'always' && RULES.isAmongAll(group, member, wanted),
  ],
];

/** What stays of a deleted group. */
const DELETIONS: readonly (readonly [string, Rules['afterDeletingGroup']])[] = [
  [
    'keeps the head of a deleted group',
    (group) => ({ ...RULES.afterDeletingGroup(group), head: group.head }),
  ],
  [
    'keeps the members of a deleted group',
    (group) => ({ ...RULES.afterDeletingGroup(group), members: group.members, former: group.former }),
  ],
  [
    'keeps the messages of a deleted group',
    (group) => ({ ...RULES.afterDeletingGroup(group), messages: group.messages }),
  ],
  [
    'keeps the parent of a deleted group',
    (group) => ({ ...RULES.afterDeletingGroup(group), parentId: group.parentId }),
  ],
  [
    'keeps the receipts policy of a deleted group',
    (group) => ({ ...RULES.afterDeletingGroup(group), receipts: group.receipts }),
  ],
  [
    'begins with revision 0 after a group is deleted',
    (group) => ({ ...groupOf(EMPTY, group.groupId), facts: group.facts }),
  ],
];

/** What stays of an erased user. */
const ERASURES: readonly (readonly [string, Partial<Rules>])[] = [
  ['keeps the memberships of an erased user', { afterErasing: (group) => group }],
  [
    'ends the memberships of an erased user in one group only',
    {
      afterErasing: (group, userId) =>
        group.groupId === GROUPS[0] ? RULES.afterErasing(group, userId) : group,
    },
  ],
  [
    'deletes the messages of an erased user',
    {
      afterErasing: (group, userId) => ({
        ...RULES.afterErasing(group, userId),
        messages: group.messages.map((message) => ({
          ...message,
          deleted: message.deleted || message.senderId === userId,
        })),
      }),
    },
  ],
  [
    'lets an erased user continue where it was',
    {
      afterErasing: (group, userId) => ({
        ...RULES.afterErasing(group, userId),
        former: [...group.former, ...group.members.filter((member) => member.userId === userId)],
      }),
      viewOnJoining: (group, userId, from) => {
        const wasErased = group.perhapsReturning.includes(userId);
        const former = wasErased ? group.former.findLast((member) => member.userId === userId) : undefined;
        return former?.own ?? from;
      },
    },
  ],
];

/** What an export has of a member. */
const EXPORTS: readonly (readonly [string, Rules['exported']])[] = [
  [
    'exports what others see as the own view',
    (member) => ({ ...member, own: member.shown, ownAt: member.shownAt }),
  ],
  [
    'exports the own view as what others see',
    (member) => ({ ...member, shown: member.own, shownAt: member.ownAt }),
  ],
  [
    'exports the defaults for the preferences',
    (member) => ({ ...member, preferences: { ...member.preferences, ...DEFAULT_PREFERENCES } }),
  ],
];

/** Which messages have a reminder, and whom it names. */
const REMINDERS: readonly (readonly [string, Partial<Rules>])[] = [
  [
    'reminds of deleted messages',
    { isDue: (message, seconds) => RULES.isDue({ ...message, deleted: false }, seconds) },
  ],
  [
    'reminds of silent messages',
    { isDue: (message, seconds) => RULES.isDue({ ...message, isSilent: false }, seconds) },
  ],
  [
    'counts the time of a reminder from the recording',
    {
      isDue: (message, seconds) => {
        const reminder = message.reminder && { ...message.reminder, sentSecondsAgo: 0 };
        return RULES.isDue({ ...message, reminder }, seconds);
      },
    },
  ],
  [
    'reminds members who have read privately',
    { isReminded: (message, member) => RULES.isReminded(message, { ...member, own: member.shown }) },
  ],
  [
    'does not remind members who have marked unread what they read privately',
    {
      isReminded: (message, member) => member.raises === 0 && RULES.isReminded(message, member),
    },
  ],
  [
    'reminds members who have muted the group',
    {
      isReminded: (message, member) => {
        const { notify } = member.preferences;
        const preferences = {
          ...member.preferences,
          mutedUntil: null,
          notify: notify === 'none' ? 'all' : notify,
        };
        return RULES.isReminded(message, { ...member, preferences });
      },
    },
  ],
  [
    'reminds members of messages that do not mention them, though they want only mentions',
    { isReminded: (message, member) => RULES.isReminded({ ...message, mentions: 'all' }, member) },
  ],
  [
    'does not remind members who have archived the group',
    {
      isReminded: (message, member) =>
        member.preferences.archive !== 'always' && RULES.isReminded(message, member),
    },
  ],
  ['reminds twice', { afterReminding: (message) => message }],
  [
    'keeps the reminder of the last recording',
    { recordedAgain: (known, { reminder }) => ({ ...known, reminder }) },
  ],
];

interface Shown {
  /** Whether only facts show it: without facts a shorter history is found sooner. */
  readonly withFacts?: boolean;
  /** What the scenes that show it are about. By default other steps show it. */
  readonly focus?: Focus;
}

/** Its behaviour, its rules, and what shows it. */
const CHANGED: readonly (readonly [string, Partial<Rules>, Shown?])[] = [
  [
    'counts members who joined later',
    { audience: ({ members }, { senderId }) => members.filter(({ userId }) => userId !== senderId) },
  ],
  [
    'counts the sender',
    {
      audience: ({ members }, { messageId }) => members.filter((member) => member.joinedAfter < messageId),
    },
  ],
  [
    'counts former members',
    {
      audience: (group, message) => {
        const isMember = ({ userId }: { userId: string }) =>
          group.members.some((member) => member.userId === userId);
        const last = new Map(group.former.map((member) => [member.userId, member]));
        const former = [...last.values()].filter((member) => !isMember(member));
        return RULES.audience({ ...group, members: [...group.members, ...former] }, message);
      },
    },
  ],
  [
    'shows private reads to others',
    { moves: ({ stale }) => ({ own: !stale, shown: true, delivered: true }) },
  ],
  ['lets a late mark undo a mark unread', { moves: (mark) => ({ ...RULES.moves(mark), own: true }) }],
  [
    'counts deleted messages as unread',
    { isUnread: (message, member) => RULES.isUnread({ ...message, deleted: false }, member) },
  ],
  ['does not clamp', { clamp: (messageId) => messageId }],
  [
    "counts a member's own messages as unread",
    {
      isUnread: (message, { own }) =>
        isRecorded(message) && !message.deleted && !message.isSilent && message.messageId > own,
    },
  ],
  [
    'does not count read messages as delivered',
    { moves: (mark) => ({ ...RULES.moves(mark), delivered: false }) },
  ],
  [
    'lowers the head if the newest message is deleted',
    {
      headAfterDeleting: ({ messages }, deleted) =>
        messages.findLast(
          (message) => isRecorded(message) && !message.deleted && message.messageId !== deleted,
        )?.messageId ?? 0n,
    },
  ],
  ['lets members start with nothing read', { viewOnJoining: () => 0n }],
  [
    'lets returning members continue where they were',
    {
      viewOnJoining: (group, userId, head) =>
        group.former.findLast((member) => member.userId === userId)?.own ?? head,
    },
  ],
  [
    'compares ids as doubles',
    {
      clamp: (messageId, head) => {
        if (head === 0n) return RULES.clamp(messageId, head);
        return Number(messageId) > Number(head) ? head : messageId;
      },
    },
  ],
  ['begins with revision 0 for returning members', { revisionOnJoining: () => 0 }],
  [
    'keeps the old mark if a departure arrives late',
    {
      inOrder: (facts) =>
        facts
          .filter(
            (fact, index) =>
              fact.kind !== 'left' ||
              facts
                .slice(0, index)
                .every(
                  (before) =>
                    before.kind !== 'joined' || before.userId !== fact.userId || before.at <= fact.at,
                ),
          )
          .toSorted(byTime),
    },
    { withFacts: true },
  ],
  [
    'loses messages if the cache loses some of its keys',
    { afterEviction: (group) => ({ ...group, messages: group.messages.slice(1) }) },
  ],
  [
    'applies the entries of a batch to the state before it',
    { comparesTo: (_current: Member, beforeBatch: Member) => beforeBatch },
  ],
  ['ignores ifRevision in a batch', { checksRevision: ({ inBatch }) => !inBatch }],
  [
    'reports own messages as unread in their status',
    { isRead: (messageId, _message, member) => messageId <= member.own },
  ],
  [
    'counts a known message under another sender as read by that sender',
    {
      movesSender: (record) => (record.isTheirs ? RULES.movesSender(record) : 'surely'),
    },
  ],
  [
    'applies a clamped mark of another membership later',
    {
      appliesLater: (note, member) =>
        note.membership === member.membership
          ? RULES.appliesLater(note, member)
          : { moves: note.moves, isSure: true },
    },
    { focus: 'overtaking' },
  ],
  [
    'applies a clamped mark from before a mark unread later',
    {
      appliesLater: (note, member) => {
        if (note.membership !== member.membership) return RULES.appliesLater(note, member);
        return { moves: note.moves, isSure: note.raises !== member.raises };
      },
    },
    { focus: 'overtaking' },
  ],
  [
    'marks all future messages as read if no message is recorded',
    { clamp: (messageId, head) => (head === 0n ? messageId : RULES.clamp(messageId, head)) },
  ],
  [
    'counts silent messages as unread',
    { isUnread: (message, member) => RULES.isUnread({ ...message, isSilent: false }, member) },
    { focus: 'message attributes' },
  ],
  [
    'reads up to the newest message of a member, also if it does not advance its sender',
    { movesSender: (record) => RULES.movesSender({ ...record, advances: true }) },
    { focus: 'message attributes' },
  ],
  [
    'keeps what the last recording of a message said',
    { recordedAgain: ({ deleted, recordedBy }, again) => ({ ...again, deleted, recordedBy }) },
    { focus: 'message attributes' },
  ],
  [
    'moves no sender of messages in bulk',
    { movesSender: (record) => (record.isAmongSeveral ? 'never' : RULES.movesSender(record)) },
    { focus: 'messages in bulk' },
  ],
  ...MENTIONS.map(([name, isMention]) => [name, { isMention }, { focus: 'message attributes' }] as const),
  [
    'begins to read at the head',
    { firstUnread: (unread, head) => (unread.length === 0 ? null : head) },
    { focus: 'message attributes' },
  ],
  [
    'begins to read at the newest unread message',
    { firstUnread: (unread) => unread.at(-1)?.messageId ?? null },
    { focus: 'message attributes' },
  ],
  [
    'shows what a member with hidden receipts reads',
    { isHidden: (member, when) => when !== 'reading' && RULES.isHidden(member, when) },
    { focus: 'preferences' },
  ],
  [
    'shows what a member with hidden receipts sends',
    { isHidden: (member, when) => when !== 'sending' && RULES.isHidden(member, when) },
    { focus: 'preferences' },
  ],
  [
    'shows a clamped mark of a member that then hides its receipts later',
    {
      appliesLater: (note, member) => {
        const isToBeHidden = note.moves.shown && member.preferences.hideReceipts;
        return isToBeHidden ? { moves: note.moves, isSure: true } : RULES.appliesLater(note, member);
      },
    },
    { focus: 'preferences' },
  ],
  [
    'hides a member’s receipts forever',
    {
      withPreferences: (member, patch, loud) => {
        const changed = RULES.withPreferences(member, patch, loud);
        const hideReceipts = changed.preferences.hideReceipts || member.preferences.hideReceipts;
        return { ...changed, preferences: { ...changed.preferences, hideReceipts } };
      },
    },
    { focus: 'preferences' },
  ],
  [
    'shows what was read while receipts were hidden as soon as they are shown',
    {
      withPreferences: (member, patch, loud) => {
        const changed = RULES.withPreferences(member, patch, loud);
        return patch.hideReceipts === false
          ? { ...changed, shown: changed.own, shownAt: changed.ownAt }
          : changed;
      },
    },
    { focus: 'preferences' },
  ],
  [
    'does not wait for members with hidden receipts',
    {
      audience: (group, message) =>
        RULES.audience(group, message).filter(({ preferences }) => !preferences.hideReceipts),
    },
    { focus: 'preferences' },
  ],
  [
    'sets preferences that a call does not have to their defaults',
    {
      withPreferences: (member, patch, loud) => {
        const preferences = { ...member.preferences, ...DEFAULT_PREFERENCES };
        return RULES.withPreferences({ ...member, preferences }, patch, loud);
      },
    },
    { focus: 'preferences' },
  ],
  [
    'raises the revision of preferences that stay the same',
    { raisesPreferences: () => true },
    { focus: 'preferences' },
  ],
  [
    'does not raise the revision of preferences',
    { raisesPreferences: () => false },
    { focus: 'preferences' },
  ],
  [
    'keeps the preferences of a member that left',
    {
      preferencesOnJoining: (group, userId) =>
        group.former.findLast((member) => member.userId === userId)?.preferences ??
        RULES.preferencesOnJoining(group, userId),
    },
    { focus: 'preferences' },
  ],
  [
    'lets a silent message bring an archived group back',
    {
      isArchived: (preferences, view) =>
        RULES.isArchived(preferences, view) &&
        (preferences.archive === 'always' || view.head <= preferences.archivedAt),
    },
    { focus: 'preferences' },
  ],
  [
    'lets a message bring a group back that is always archived',
    {
      isArchived: (preferences, view) =>
        preferences.archive !== 'no' && newestLoud(view.messages) <= preferences.archivedAt,
    },
    { focus: 'preferences' },
  ],
  [
    'does not bring an archived group back',
    { isArchived: ({ archive }) => archive !== 'no' },
    { focus: 'preferences' },
  ],
  ['changes the parent of a group', { mayBecomeParent: () => true }, { focus: 'group settings' }],
  [
    'does not accept the same parent again',
    { mayBecomeParent: ({ parentId }, given) => parentId === null || given === null },
    { focus: 'group settings' },
  ],
  ...POLICIES.map(([name, mayRead]) => [name, { mayRead }, { focus: 'group settings' }] as const),
  ...DELETIONS.map(
    ([name, afterDeletingGroup]) => [name, { afterDeletingGroup }, { focus: 'group deletion' }] as const,
  ),
  [
    'keeps the preferences of the members of a deleted group',
    {
      preferencesOnJoining: (group, userId) =>
        (group.deletions > 0 && group.former.findLast((member) => member.userId === userId)?.preferences) ||
        RULES.preferencesOnJoining(group, userId),
    },
    { focus: 'group deletion' },
  ],
  ...ERASURES.map(([name, changed]) => [name, changed, { focus: 'user erasure' }] as const),
  ...EXPORTS.map(([name, exported]) => [name, { exported }, { focus: 'export' }] as const),
  ...REMINDERS.map(([name, changed]) => [name, changed, { focus: 'reminders' }] as const),
  [
    'lists archived groups in the inbox without being asked',
    { isListed: ({ isArchived, asked = false }) => isArchived || !asked },
    { focus: 'all groups' },
  ],
  [
    'never lists archived groups in the inbox',
    { isListed: ({ isArchived, asked = false }) => !isArchived && !asked },
    { focus: 'all groups' },
  ],
  ...BADGES.map(([name, countsInBadge]) => [name, { countsInBadge }, { focus: 'all groups' }] as const),
  ['counts each group once in the badge', { badgeLimit: 1 }, { focus: 'all groups' }],
  ...ALL.map(([name, isAmongAll]) => [name, { isAmongAll }, { focus: 'all groups' }] as const),
];

/** Models that are wrong on purpose, each in one rule, with their behaviour as names. */
export const WRONG_MODELS = CHANGED.map(
  ([name, changed, { withFacts = false, focus } = {}]) =>
    [name, { rules: { ...RULES, ...changed }, withFacts, focus }] as const,
);
