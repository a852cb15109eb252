import fc from 'fast-check';
import {
  A_BOT,
  anAttributes,
  aPatch,
  aRecordedId,
  aReminder,
  aTurn,
  rolesOf,
  type Scene,
  SENDERS,
  type Setting,
  USERS,
} from './choices.ts';
import { NO_ATTRIBUTES } from './model.ts';
import type { Operation } from './operations.ts';
import {
  getWatermark,
  join,
  leave,
  mark,
  markUnread,
  remove,
  send,
  setPreferences,
} from './plain-operations.ts';

/** Messages with attributes, recorded again with others. */
export function recordingAgain(setting: Setting): Scene {
  const attributes = anAttributes(setting);
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
        ...(isDeleted ? [remove(groupId, first)] : []),
        getWatermark(there),
      ];
    });
}

/** Messages of one call, and what a sender of two of them has read then. */
export function recordingSeveral(setting: Setting): Scene {
  const attributes = anAttributes(setting);
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

/** A message with a reminder, what happens until it is due, and what happens later. */
export function reminding(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      other: fc.constantFrom(...USERS),
      reminder: aReminder,
      attributes: fc.oneof(fc.constant(NO_ATTRIBUTES), anAttributes(setting)),
      again: anAttributes(setting),
      act: fc.constantFrom(
        ...([
          'nothing',
          'read',
          'read privately',
          'mark unread',
          'mark unread after a private read',
        ] as const),
        ...(['delete', 'leave', 'set', 'set', 'set', 'record again', 'erase'] as const),
      ),
      patch: aPatch,
      turns: fc.tuple(aTurn, aTurn),
    })
    .map(({ first, second, other, reminder, attributes, again, act, patch, turns, ...there }) => {
      const { groupId, userId } = there;
      const { remindAfterSeconds, sentAt } = reminder;
      const messageId = second;
      const read = mark(there, messageId);
      const readPrivately = mark(there, messageId, { isPrivate: true });
      const sendAgain = send(groupId, messageId, A_BOT, again);
      const acts: Record<typeof act, Operation[]> = {
        nothing: [],
        read: [read],
        'read privately': [readPrivately],
        'mark unread': [read, markUnread(there, messageId)],
        'mark unread after a private read': [readPrivately, markUnread(there, messageId)],
        delete: [remove(groupId, messageId)],
        leave: [leave(there)],
        set: [setPreferences(there, patch)],
        'record again': [sendAgain],
        erase: [{ kind: 'erase user', userId }],
      };
      return [
        join(there),
        join({ groupId, userId: other }),
        {
          kind: 'record',
          ...{ groupId, messageId, senderId: A_BOT, sentAt },
          attributes: { ...attributes, remindAfterSeconds },
        },
        send(groupId, first),
        ...acts[act],
        turns[0],
        sendAgain,
        turns[1],
      ];
    });
}
