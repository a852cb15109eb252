import fc from 'fast-check';
import {
  A_BOT,
  aMarkOfAll,
  anAttributes,
  aPatch,
  aRecordedId,
  aSettings,
  GROUP_WITHOUT_MEMBERS,
  GROUPS,
  rolesOf,
  type Scene,
  type Setting,
  USERS,
  user,
} from './choices.ts';
import type { ReceiptsPolicy } from './model.ts';
import type { Operation } from './operations.ts';
import {
  countReceipts,
  getBadge,
  getPreferences,
  getWatermark,
  inboxOf,
  join,
  leave,
  listMembers,
  listReceipts,
  mark,
  markDelivered,
  markInBatch,
  markUnread,
  send,
  setGroup,
  setPreferences,
} from './plain-operations.ts';

/** A member that hides its receipts, then reads or sends, and perhaps shows its receipts again. */
export function hidingReceipts(setting: Setting): Scene {
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
      const other = { groupId, userId: USERS[5] };
      const acts: Record<typeof act, Operation> = {
        mark: mark(there, second),
        'mark several': markInBatch(there, second),
        send: send(groupId, second, userId),
        'mark delivered': markDelivered(there, second),
      };
      const lasts: Record<typeof last, Operation[]> = {
        nothing: [],
        mark: [acts.mark],
        'send again': [acts.send],
        'mark unread and send again': [markUnread(there, first), acts.send],
      };
      const hide = setPreferences(there, { hideReceipts: true });
      const recorded = send(groupId, second);
      const orders: Record<typeof isAhead, Operation[]> = {
        no: act === 'send' ? [hide, acts.send] : [recorded, hide, acts[act]],
        'while hidden': [hide, acts[act], recorded],
        before: [acts[act], hide, recorded],
      };
      return [
        join(there),
        join(other),
        send(groupId, first),
        ...orders[isAhead],
        ...(isShownAgain ? [setPreferences(there, { hideReceipts: false })] : []),
        ...lasts[last],
        listReceipts(other, second, 'delivered'),
        listMembers(groupId),
        getWatermark(there),
      ];
    });
}

/** A member that archives a group, in which messages are sent then. */
export function archiving(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      third: aRecordedId(setting.ids),
      archive: fc.constantFrom('untilNew', 'untilNew', 'always'),
      ofSecond: anAttributes(setting),
      again: fc.constantFrom('nothing', 'no', 'untilNew', 'always', 'rejoining'),
    } as const)
    .map(({ first, second, third, archive, ofSecond, again, ...there }) => {
      const { groupId } = there;
      const acts: Record<typeof again, Operation[]> = {
        nothing: [],
        no: [setPreferences(there, { archive: 'no' })],
        untilNew: [setPreferences(there, { archive: 'untilNew' })],
        always: [setPreferences(there, { archive: 'always' })],
        rejoining: [leave(there), join(there)],
      };
      return [
        join(there),
        send(groupId, first),
        setPreferences(there, { archive }),
        send(groupId, second, A_BOT, ofSecond),
        getPreferences(there),
        ...acts[again],
        send(groupId, third),
        getPreferences(there),
      ];
    });
}

/** Preferences that are set one after the other. */
export const settingPreferences: Scene = fc
  .record({ groupId: fc.constantFrom(...GROUPS), userId: user, patches: fc.tuple(aPatch, aPatch, aPatch) })
  .map(({ patches, ...there }) => [
    join(there),
    ...patches.map((patch) => setPreferences(there, patch)),
    getPreferences(there),
  ]);

/** A group with settings, in which members read receipts. */
export function settingGroup(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      senderId: fc.constantFrom(...USERS),
      receipts: fc.constantFrom<ReceiptsPolicy>('sender', 'sender', 'off', 'members'),
      parentId: fc.constantFrom(...GROUPS, GROUP_WITHOUT_MEMBERS),
      later: aSettings,
    })
    .map(({ first, second, senderId, receipts, parentId, later, ...there }) => {
      const { groupId } = there;
      const sender = { groupId, userId: senderId };
      return [
        join(there),
        join(sender),
        send(groupId, first, senderId),
        send(groupId, second),
        setGroup(groupId, { receipts, parentId }),
        countReceipts(there, [first, second]),
        countReceipts(sender, [first, second]),
        listReceipts(there, first),
        listReceipts(sender, first),
        setGroup(groupId, later),
        { kind: 'get group', groupId },
        listReceipts(there, second),
      ];
    });
}

/**
 * A member of several groups, of which each has preferences and perhaps a parent: what is unread in all of them, before and
 * after all are marked.
 */
export function readingAllGroups(setting: Setting): Scene {
  const inGroup = (groupId: string) =>
    fc.record({
      groupId: fc.constant(groupId),
      messageId: aRecordedId(setting.ids),
      attributes: anAttributes(setting),
      patch: aPatch,
      parentId: fc.option(fc.constantFrom(...GROUPS)),
      later: aRecordedId(setting.ids),
    });
  return fc
    .record({ userId: user, groups: fc.tuple(...GROUPS.map(inGroup)), all: aMarkOfAll })
    .map(({ userId, groups, all }) => {
      const reads = [
        getBadge(userId),
        inboxOf(userId, undefined),
        inboxOf(userId, true),
        inboxOf(userId, undefined, GROUPS[0]),
      ];
      return [
        ...groups.flatMap(({ groupId, messageId, attributes, patch, parentId, later }) => {
          const there = { groupId, userId };
          return [
            join(there),
            send(groupId, messageId, A_BOT, attributes),
            setPreferences(there, patch),
            ...(parentId === groupId ? [] : [setGroup(groupId, { parentId })]),
            send(groupId, later),
          ];
        }),
        ...reads,
        { ...all, userId },
        ...reads,
      ];
    });
}
