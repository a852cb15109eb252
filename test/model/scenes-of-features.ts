import fc from 'fast-check';
import {
  A_BOT,
  aMarkOfAll,
  anAttributes,
  aPatch,
  aRecordedId,
  aReminder,
  aSettings,
  aTurn,
  exportOf,
  GROUP_WITHOUT_MEMBERS,
  GROUPS,
  inboxOf,
  SENDERS,
  type Setting,
  USERS,
  user,
} from './choices.ts';
import type { Feature } from './features.ts';
import {
  type Attributes,
  NO_ATTRIBUTES,
  NO_PATCH,
  type PreferencesPatch,
  type ReceiptsPolicy,
} from './model.ts';
import type { Operation } from './operations.ts';

interface There {
  readonly groupId: string;
  readonly userId: string;
}

type Scene = fc.Arbitrary<readonly Operation[]>;

const byUser = { by: 'user' } as const;
const join = (there: There): Operation => ({ kind: 'join', ...there, joinedAfter: undefined });
const send = (
  groupId: string,
  messageId: bigint,
  senderId: string = A_BOT,
  attributes: Attributes = NO_ATTRIBUTES,
): Operation => ({ kind: 'record', groupId, messageId, senderId, sentAt: undefined, attributes });
const mark = (there: There, messageId: bigint): Operation => ({
  kind: 'mark',
  ...there,
  ...byUser,
  messageId,
  isPrivate: undefined,
  ifRevision: undefined,
});
const markUnread = (there: There, messageId: bigint): Operation => ({
  kind: 'mark unread',
  ...there,
  ...byUser,
  messageId,
});
const getWatermark = (there: There): Operation => ({ kind: 'get watermark', ...there, ...byUser });
const getPreferences = (there: There): Operation => ({ kind: 'get preferences', ...there, ...byUser });
const set = (there: There, patch: Partial<PreferencesPatch>): Operation => ({
  kind: 'set preferences',
  ...there,
  ...byUser,
  patch: { ...NO_PATCH, ...patch },
});
const listReceipts = (
  there: There,
  messageId: bigint,
  state: 'read' | 'unread' | 'delivered' | undefined = undefined,
): Operation => ({ kind: 'list receipts', ...there, ...byUser, messageId, state, limit: undefined });

/** Scenes about a feature. */
export function scenesOf(feature: Feature, setting: Setting): readonly Scene[] {
  switch (feature) {
    case 'unread details':
    case 'message attributes':
      return [attributed(setting)];
    case 'messages in bulk':
      return [inBulk(setting)];
    case 'preferences':
      return [hiding(setting), archiving(setting), preferring];
    case 'group settings':
      return [deciding(setting)];
    case 'group deletion':
      return [deleting(setting)];
    case 'user erasure':
      return [erasing(setting)];
    case 'export':
      return [exporting(setting)];
    case 'reminders':
      return [reminding(setting)];
    case 'inbox filters':
    case 'badge':
    case 'mark all':
      return [summing(setting)];
  }
}

/** The first is below the second in half of all scenes. */
const rolesOf = ({ ids }: Setting) => ({
  groupId: fc.constantFrom(...GROUPS),
  userId: user,
  first: aRecordedId(ids),
  second: fc.constantFrom(...ids.slice(1, -2)),
});

/** Messages with attributes, recorded again with others. */
function attributed(setting: Setting): Scene {
  const attributes = anAttributes(setting.features);
  return fc
    .record({
      ...rolesOf(setting),
      ofFirst: attributes,
      ofSecond: attributes,
      again: attributes,
      senderId: fc.constantFrom(...SENDERS),
      isDeleted: fc.boolean(),
    })
    .map(({ first, second, ofFirst, ofSecond, again, senderId, isDeleted, ...there }) => {
      const { groupId, userId } = there;
      return [
        join(there),
        send(groupId, first, senderId, ofFirst),
        markUnread(there, first),
        send(groupId, second, userId, ofSecond),
        getWatermark(there),
        markUnread(there, first),
        send(groupId, second, userId, again),
        send(groupId, first, senderId, again),
        ...(isDeleted ? [{ kind: 'delete' as const, groupId, messageId: first }] : []),
        getWatermark(there),
      ];
    });
}

/** Messages of one call, and what their senders have read then. */
function inBulk(setting: Setting): Scene {
  const attributes = anAttributes(setting.features);
  const sending = fc.record({
    messageId: aRecordedId(setting.ids),
    senderId: fc.constantFrom(...SENDERS),
    attributes,
  });
  return fc
    .record({
      ...rolesOf(setting),
      sendings: fc.array(sending, { minLength: 1, maxLength: 3 }),
      ofFirst: attributes,
      ofSecond: attributes,
    })
    .map(({ first, second, sendings, ofFirst, ofSecond, ...there }) => {
      const { groupId, userId } = there;
      const own = { groupId, senderId: userId };
      return [
        join(there),
        {
          kind: 'record several',
          messages: [
            { ...own, messageId: first, attributes: ofFirst },
            ...sendings.map((one) => ({ groupId, ...one })),
            { ...own, messageId: second, attributes: ofSecond },
          ],
        },
        getWatermark(there),
      ];
    });
}

/** A member that hides its receipts, then reads or sends, and perhaps shows its receipts again. */
function hiding(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      act: fc.constantFrom('mark', 'mark several', 'send', 'mark delivered'),
      isAhead: fc.constantFrom('no', 'no', 'while hidden', 'before'),
      isShownAgain: fc.boolean(),
      last: fc.constantFrom('nothing', 'mark', 'send again', 'mark unread and send again'),
    })
    .map(({ first, second, act, isAhead, isShownAgain, last, ...there }) => {
      const { groupId, userId } = there;
      const messageId = second;
      const acts: Record<typeof act, Operation> = {
        mark: mark(there, messageId),
        'mark several': {
          kind: 'mark several',
          userId,
          ...byUser,
          marks: [
            { groupId, messageId, isPrivate: undefined, ifRevision: undefined, isDelivered: undefined },
          ],
        },
        send: send(groupId, messageId, userId),
        'mark delivered': { kind: 'mark delivered', ...there, ...byUser, messageId },
      };
      const lasts: Record<typeof last, Operation[]> = {
        nothing: [],
        mark: [mark(there, messageId)],
        'send again': [acts.send],
        'mark unread and send again': [markUnread(there, first), acts.send],
      };
      const hide = set(there, { hideReceipts: true });
      const recorded = send(groupId, messageId);
      const orders: Record<typeof isAhead, Operation[]> = {
        no: act === 'send' ? [hide, acts.send] : [recorded, hide, acts[act]],
        'while hidden': [hide, acts[act], recorded],
        before: [acts[act], hide, recorded],
      };
      return [
        join(there),
        join({ groupId, userId: USERS[5] }),
        send(groupId, first),
        ...orders[isAhead],
        ...(isShownAgain ? [set(there, { hideReceipts: false })] : []),
        ...lasts[last],
        listReceipts({ groupId, userId: USERS[5] }, messageId, 'delivered'),
        { kind: 'list members', groupId, limit: undefined },
        getWatermark(there),
      ];
    });
}

/** A member that archives a group, in which messages are sent then. */
function archiving(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      third: aRecordedId(setting.ids),
      archive: fc.constantFrom('untilNew', 'untilNew', 'always'),
      ofSecond: anAttributes(setting.features),
      again: fc.constantFrom('nothing', 'no', 'untilNew', 'always', 'rejoining'),
    } as const)
    .map(({ first, second, third, archive, ofSecond, again, ...there }): Operation[] => [
      join(there),
      send(there.groupId, first),
      set(there, { archive }),
      send(there.groupId, second, A_BOT, ofSecond),
      getPreferences(there),
      ...(again === 'nothing' || again === 'rejoining' ? [] : [set(there, { archive: again })]),
      ...(again === 'rejoining' ? [{ kind: 'leave' as const, ...there }, join(there)] : []),
      send(there.groupId, third),
      getPreferences(there),
    ]);
}

/** Preferences that are set one after the other. */
const preferring: Scene = fc
  .record({ groupId: fc.constantFrom(...GROUPS), userId: user, patches: fc.tuple(aPatch, aPatch, aPatch) })
  .map(({ patches, ...there }) => [
    join(there),
    ...patches.map((patch): Operation => ({ kind: 'set preferences', ...there, ...byUser, patch })),
    getPreferences(there),
  ]);

/** A member of several groups with preferences and a parent, and what it has unread in all of them. */
function summing(setting: Setting): Scene {
  const inGroup = (groupId: string) =>
    fc.record({
      groupId: fc.constant(groupId),
      messageId: aRecordedId(setting.ids),
      attributes: anAttributes(setting.features),
      patch: aPatch,
      parentId: fc.option(fc.constantFrom(...GROUPS)),
      later: aRecordedId(setting.ids),
    });
  return fc
    .record({ userId: user, groups: fc.tuple(...GROUPS.map(inGroup)), all: aMarkOfAll })
    .map(({ userId, groups, all }) => {
      const badge: Operation = { kind: 'get badge', userId, ...byUser };
      const reads: Operation[] = [
        ...(setting.features.has('badge') ? [badge] : []),
        ...(setting.features.has('inbox filters')
          ? [inboxOf(userId, undefined), inboxOf(userId, true), inboxOf(userId, undefined, GROUPS[0])]
          : []),
      ];
      return [
        ...groups.flatMap(({ groupId, messageId, attributes, patch, parentId, later }): Operation[] => {
          const there = { groupId, userId };
          return [
            join(there),
            send(groupId, messageId, A_BOT, attributes),
            ...(setting.features.has('preferences') ? [set(there, patch)] : []),
            ...(setting.features.has('group settings') && parentId !== groupId
              ? [{ kind: 'set group' as const, groupId, parentId, receipts: undefined }]
              : []),
            send(groupId, later),
          ];
        }),
        ...reads,
        ...(setting.features.has('mark all') ? [{ ...all, userId }, ...reads] : []),
      ];
    });
}

/** A group with settings, in which members read receipts. */
function deciding(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      sender: fc.constantFrom(...USERS),
      receipts: fc.constantFrom<ReceiptsPolicy>('sender', 'sender', 'off', 'members'),
      parentId: fc.constantFrom(...GROUPS, GROUP_WITHOUT_MEMBERS),
      later: aSettings,
    })
    .map(({ first, second, sender, receipts, parentId, later, ...there }): Operation[] => {
      const { groupId } = there;
      return [
        join(there),
        join({ groupId, userId: sender }),
        send(groupId, first, sender),
        send(groupId, second),
        { kind: 'set group', groupId, receipts, parentId },
        { kind: 'count receipts', ...there, ...byUser, messageIds: [first, second] },
        { kind: 'count receipts', groupId, userId: sender, ...byUser, messageIds: [first, second] },
        listReceipts(there, first),
        listReceipts({ groupId, userId: sender }, first),
        { kind: 'set group', groupId, ...later },
        { kind: 'get group', groupId },
        listReceipts(there, second),
      ];
    });
}

/** A group in which a wrong, large id was recorded: it is deleted, and used again with the ids of before. */
function deleting(setting: Setting): Scene {
  const { features, ids } = setting;
  return fc
    .record({
      ...rolesOf(setting),
      wrong: fc.constantFrom(...ids.slice(-4)),
      senders: fc.tuple(fc.constantFrom(...SENDERS), fc.constantFrom(...SENDERS)),
      isMarked: fc.boolean(),
      isUsedAgain: fc.boolean(),
      patch: aPatch,
      settings: aSettings,
      later: aSettings,
    })
    .map(({ first, second, wrong, senders, isMarked, isUsedAgain, patch, settings, later, ...there }) => {
      const { groupId, userId } = there;
      const hasPreferences = features.has('preferences');
      const hasSettings = features.has('group settings');
      const setGroup = (values: typeof settings): Operation[] => {
        const isOfItself = values.parentId === groupId;
        return hasSettings && !isOfItself ? [{ kind: 'set group', groupId, ...values }] : [];
      };
      const readAll: Operation[] = [
        getWatermark(there),
        { kind: 'list members', groupId, limit: undefined },
        inboxOf(userId, undefined),
        ...(hasSettings ? [{ kind: 'get group' as const, groupId }] : []),
      ];
      return [
        join(there),
        send(groupId, first, senders[0]),
        ...(hasPreferences ? [set(there, patch)] : []),
        ...setGroup(settings),
        ...(isMarked ? [mark(there, second)] : []),
        send(groupId, wrong),
        { kind: 'delete group', groupId },
        ...(isUsedAgain ? [] : readAll),
        ...setGroup(later),
        join(there),
        send(groupId, first, senders[1]),
        send(groupId, second),
        mark(there, first),
        ...(hasPreferences ? [getPreferences(there)] : []),
        { kind: 'count receipts', ...there, ...byUser, messageIds: [first, second, wrong] },
        ...readAll,
      ];
    });
}

/** A user is erased who has read, sent and left, and comes back. */
function erasing(setting: Setting): Scene {
  const { features } = setting;
  return fc
    .record({
      ...rolesOf(setting),
      other: fc.constantFrom(...USERS),
      mentions: fc.option(
        fc.constantFrom(...USERS).map((userId) => [userId]),
        { nil: undefined },
      ),
      isMember: fc.boolean(),
      isUnreadAgain: fc.boolean(),
      patch: aPatch,
      later: aRecordedId(setting.ids),
    })
    .map(({ first, second, other, mentions, isMember, isUnreadAgain, patch, later, ...there }) => {
      const { groupId, userId } = there;
      const readers = USERS.slice(0, 2).map((reader) => ({ groupId, userId: reader }));
      const readAll: Operation[] = [
        { kind: 'list members', groupId, limit: undefined },
        ...[{ groupId, userId: other }, ...readers].flatMap((reader): Operation[] => [
          { kind: 'count receipts', ...reader, ...byUser, messageIds: [first, second] },
          listReceipts(reader, first),
          getWatermark(reader),
        ]),
        inboxOf(userId, undefined),
      ];
      return [
        join(there),
        join({ groupId, userId: other }),
        send(groupId, first, userId),
        send(groupId, second, A_BOT, { ...NO_ATTRIBUTES, mentions }),
        mark(there, second),
        ...(isUnreadAgain ? [markUnread(there, first)] : []),
        ...(features.has('preferences') ? [set(there, patch)] : []),
        ...(isMember ? [] : [{ kind: 'leave' as const, ...there }]),
        { kind: 'erase user', userId },
        ...readAll,
        join(there),
        ...(features.has('export') ? [exportOf(userId)] : []),
        ...(features.has('preferences') ? [getPreferences(there)] : []),
        send(groupId, later, userId),
        send(groupId, second),
        mark(there, first),
        ...readAll,
      ];
    });
}

/** What is stored of a user that joins, reads, sends, leaves and joins again. */
function exporting(setting: Setting): Scene {
  const { features } = setting;
  return fc
    .record({
      ...rolesOf(setting),
      isPrivate: fc.boolean(),
      patch: aPatch,
      sent: fc.option(aRecordedId(setting.ids)),
      unreadFrom: fc.option(aRecordedId(setting.ids)),
      end: fc.constantFrom('nothing', 'leaving', 'rejoining'),
    })
    .map(({ first, second, isPrivate, patch, sent, unreadFrom, end, ...there }) => {
      const { groupId, userId } = there;
      const leave: Operation = { kind: 'leave', ...there };
      const ends: Record<typeof end, Operation[]> = {
        nothing: [],
        leaving: [leave],
        rejoining: [leave, join(there)],
      };
      return [
        join(there),
        send(groupId, first),
        { kind: 'mark delivered', ...there, ...byUser, messageId: first },
        ...(features.has('preferences') ? [set(there, patch)] : []),
        ...(sent === null ? [] : [send(groupId, sent, userId)]),
        { ...mark(there, second), isPrivate } as Operation,
        ...(unreadFrom === null ? [] : [markUnread(there, unreadFrom)]),
        exportOf(userId),
        ...ends[end],
        exportOf(userId),
      ];
    });
}

/** A message with a reminder, what happens until it is due, and what happens later. */
function reminding(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      other: fc.constantFrom(...USERS),
      of: aReminder,
      attributes: anAttributes(setting.features),
      isPlain: fc.boolean(),
      again: anAttributes(setting.features),
      act: fc.constantFrom(
        ...['nothing', 'read', 'read privately', 'mark unread', 'mark unread after a private read'],
        ...['delete', 'leave', 'set', 'set', 'set', 'record again', 'erase'],
      ),
      patch: aPatch,
      turns: fc.tuple(aTurn, aTurn),
    })
    .map(({ first, second, other, of, attributes, isPlain, again, act, patch, turns, ...there }) => {
      const { groupId, userId } = there;
      const { remindAfterSeconds, sentAt } = of;
      const messageId = second;
      const read = mark(there, messageId);
      const readPrivately = { ...read, isPrivate: true } as Operation;
      const acts: Record<string, Operation[]> = {
        read: [read],
        'read privately': [readPrivately],
        'mark unread': [read, markUnread(there, messageId)],
        'mark unread after a private read': [readPrivately, markUnread(there, messageId)],
        delete: [{ kind: 'delete', groupId, messageId }],
        leave: [{ kind: 'leave', ...there }],
        set: [set(there, patch)],
        'record again': [send(groupId, messageId, A_BOT, again)],
        erase: setting.features.has('user erasure') ? [{ kind: 'erase user', userId }] : [],
      };
      return [
        join(there),
        join({ groupId, userId: other }),
        {
          kind: 'record',
          ...{ groupId, messageId, senderId: A_BOT, sentAt },
          attributes: { ...(isPlain ? NO_ATTRIBUTES : attributes), remindAfterSeconds },
        },
        send(groupId, first),
        ...(acts[act] ?? []),
        turns[0],
        send(groupId, messageId, A_BOT, again),
        turns[1],
      ];
    });
}
