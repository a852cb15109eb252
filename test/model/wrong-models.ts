import type { Feature } from './features.ts';
import { byTime, isMentioned, isRecorded, type Member, RULES, type Rules } from './model.ts';

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

interface Shown {
  /** Whether only facts show it: without facts a shorter history is found sooner. */
  readonly withFacts?: boolean;
  /** The feature that shows it. */
  readonly feature?: Feature;
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
  ],
  [
    'applies a clamped mark from before a mark unread later',
    {
      appliesLater: (note, member) => {
        if (note.membership !== member.membership) return RULES.appliesLater(note, member);
        return { moves: note.moves, isSure: note.raises !== member.raises };
      },
    },
  ],
  [
    'marks all future messages as read if no message is recorded',
    { clamp: (messageId, head) => (head === 0n ? messageId : RULES.clamp(messageId, head)) },
  ],
  [
    'counts silent messages as unread',
    { isUnread: (message, member) => RULES.isUnread({ ...message, isSilent: false }, member) },
    { feature: 'message attributes' },
  ],
  [
    'reads up to the newest message of a member, also if it does not advance its sender',
    { movesSender: (record) => RULES.movesSender({ ...record, advances: true }) },
    { feature: 'message attributes' },
  ],
  [
    'keeps what the last recording of a message said',
    { recordedAgain: ({ deleted, recordedBy }, again) => ({ ...again, deleted, recordedBy }) },
    { feature: 'message attributes' },
  ],
  [
    'moves no sender of messages in bulk',
    { movesSender: (record) => (record.isAmongSeveral ? 'never' : RULES.movesSender(record)) },
    { feature: 'messages in bulk' },
  ],
  ...MENTIONS.map(([name, isMention]) => [name, { isMention }, { feature: 'message attributes' }] as const),
  [
    'begins to read at the head',
    { firstUnread: (unread, head) => (unread.length === 0 ? null : head) },
    { feature: 'unread details' },
  ],
  [
    'begins to read at the newest unread message',
    { firstUnread: (unread) => unread.at(-1)?.messageId ?? null },
    { feature: 'unread details' },
  ],
];

/** Models that are wrong on purpose, each in one rule, with their behaviour as names. */
export const WRONG_MODELS = CHANGED.map(
  ([name, changed, { withFacts = false, feature } = {}]) =>
    [name, { rules: { ...RULES, ...changed }, withFacts, feature }] as const,
);
