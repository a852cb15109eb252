import fc from 'fast-check';
import {
  A_BOT,
  aPatch,
  aRecordedId,
  aSettings,
  rolesOf,
  type Scene,
  SENDERS,
  type Setting,
  USERS,
} from './choices.ts';
import { type GroupSettings, NO_ATTRIBUTES } from './model.ts';
import type { Operation } from './operations.ts';
import {
  countReceipts,
  exportOf,
  getPreferences,
  getWatermark,
  inboxOf,
  join,
  leave,
  listMembers,
  listReceipts,
  mark,
  markDelivered,
  markUnread,
  send,
  setGroup,
  setPreferences,
} from './plain-operations.ts';

/** A group in which a wrong, large id was recorded: it is deleted, and used again with the ids of before. */
export function deletingGroup(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      wrong: fc.constantFrom(...setting.ids.slice(-4)),
      senders: fc.tuple(fc.constantFrom(...SENDERS), fc.constantFrom(...SENDERS)),
      isMarked: fc.boolean(),
      isReadDeleted: fc.boolean(),
      patch: aPatch,
      settings: aSettings,
      later: aSettings,
    })
    .map(({ first, second, wrong, senders, isMarked, isReadDeleted, patch, settings, later, ...there }) => {
      const { groupId, userId } = there;
      const setUnlessOwnParent = (values: GroupSettings) =>
        values.parentId === groupId ? [] : [setGroup(groupId, values)];
      const readAll: Operation[] = [
        getWatermark(there),
        listMembers(groupId),
        inboxOf(userId, undefined),
        { kind: 'get group', groupId },
      ];
      return [
        join(there),
        send(groupId, first, senders[0]),
        setPreferences(there, patch),
        ...setUnlessOwnParent(settings),
        ...(isMarked ? [mark(there, second)] : []),
        send(groupId, wrong),
        { kind: 'delete group', groupId },
        ...(isReadDeleted ? readAll : []),
        ...setUnlessOwnParent(later),
        join(there),
        send(groupId, first, senders[1]),
        send(groupId, second),
        mark(there, first),
        getPreferences(there),
        countReceipts(there, [first, second, wrong]),
        ...readAll,
      ];
    });
}

/** A user is erased who has read and sent, and perhaps left, and comes back. */
export function erasingUser(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      other: fc.constantFrom(...USERS),
      mentioned: fc.option(fc.constantFrom(...USERS)),
      isMember: fc.boolean(),
      isUnreadAgain: fc.boolean(),
      patch: aPatch,
      later: aRecordedId(setting.ids),
    })
    .map(({ first, second, other, mentioned, isMember, isUnreadAgain, patch, later, ...there }) => {
      const { groupId, userId } = there;
      const mentions = mentioned === null ? undefined : [mentioned];
      const readers = [other, ...USERS.slice(0, 2)].map((reader) => ({ groupId, userId: reader }));
      const readAll = [
        listMembers(groupId),
        ...readers.flatMap((reader) => [
          countReceipts(reader, [first, second]),
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
        setPreferences(there, patch),
        ...(isMember ? [] : [leave(there)]),
        { kind: 'erase user', userId },
        ...readAll,
        join(there),
        exportOf(userId),
        getPreferences(there),
        send(groupId, later, userId),
        send(groupId, second),
        mark(there, first),
        ...readAll,
      ];
    });
}

/** What is stored of a user that joins, reads, sends, leaves and joins again. */
export function exporting(setting: Setting): Scene {
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
      const ends: Record<typeof end, Operation[]> = {
        nothing: [],
        leaving: [leave(there)],
        rejoining: [leave(there), join(there)],
      };
      return [
        join(there),
        send(groupId, first),
        markDelivered(there, first),
        setPreferences(there, patch),
        ...(sent === null ? [] : [send(groupId, sent, userId)]),
        mark(there, second, { isPrivate }),
        ...(unreadFrom === null ? [] : [markUnread(there, unreadFrom)]),
        exportOf(userId),
        ...ends[end],
        exportOf(userId),
      ];
    });
}
