import fc from 'fast-check';
import { A_BOT, GROUPS, picks, USERS } from './choices.ts';
import { type Attributes, NO_ATTRIBUTES } from './model.ts';
import type { History, Operation, SendingTo, Step } from './operations.ts';
import {
  getBadge,
  getWatermark,
  join,
  mark,
  markUnread,
  remove,
  setGroup,
  setPreferences,
} from './plain-operations.ts';

/** Histories that reach limits: too large for each random history, and played once. */

const [USER] = USERS;
const [GROUP] = GROUPS;
const SPACE = 'a-space';
const byUser = { by: 'user' } as const;
const there = { groupId: GROUP, userId: USER };
const badge = getBadge(USER);

/** The most messages that one call records. */
const MESSAGES_AT_ONCE = 100;
const JOINS_AT_ONCE = 4;

function inChunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

const recordAll = (messages: readonly SendingTo[]) =>
  inChunks(messages, MESSAGES_AT_ONCE).map((some): Step => [{ kind: 'record several', messages: some }]);

/** A group with about this many unread messages. */
export function manyMessages(about: number): fc.Arbitrary<History> {
  const nth = fc.integer({ min: 2, max: about });
  const id = fc.integer({ min: 1, max: about }).map(BigInt);
  return fc
    .record({
      surplus: fc.integer({ min: -3, max: 9 }),
      silent: nth,
      own: nth,
      mentioning: nth,
      all: nth,
      read: id,
      unreadFrom: id,
      deleted: fc.uniqueArray(id, { minLength: 1, maxLength: 4 }),
      picks,
    })
    .map(({ surplus, silent, own, mentioning, all, read, unreadFrom, deleted, picks: lost }) => {
      const isNth = (index: number, every: number) => index % every === 0;
      const mentionsIn = (index: number): Attributes['mentions'] => {
        if (isNth(index, all)) return 'all';
        return isNth(index, mentioning) ? [USER] : undefined;
      };
      const messages: SendingTo[] = [];
      for (let index = 1, unread = 0; unread < about + surplus; index += 1) {
        const isOwn = isNth(index, own);
        const isSilent = isNth(index, silent);
        unread += isOwn || isSilent ? 0 : 1;
        messages.push({
          groupId: GROUP,
          messageId: BigInt(index),
          senderId: isOwn ? USER : A_BOT,
          attributes: {
            silent: isSilent ? true : undefined,
            mentions: mentionsIn(index),
            advanceSender: isOwn ? false : undefined,
            remindAfterSeconds: undefined,
          },
        });
      }
      const watermark = getWatermark(there);
      return [
        [join(there)],
        ...recordAll(messages),
        ...[
          watermark,
          badge,
          setPreferences(there, { notify: 'mentions' }),
          badge,
          ...deleted.map((messageId) => remove(GROUP, messageId)),
          badge,
          setPreferences(there, { notify: 'all' }),
          { kind: 'evict', groupId: GROUP, picks: lost } as const,
          watermark,
          badge,
          mark(there, read),
          badge,
          markUnread(there, unreadFrom),
          { kind: 'flush' } as const,
          watermark,
          badge,
        ].map((operation): Step => [operation]),
      ];
    });
}

/** A user in more groups than one call marks, and than one page of the inbox has. */
export const manyGroups: fc.Arbitrary<History> = fc
  .record({
    count: fc.integer({ min: 101, max: 106 }),
    muted: fc.uniqueArray(fc.nat({ max: 100 }), { minLength: 1, maxLength: 3 }),
    inSpace: fc.uniqueArray(fc.nat({ max: 100 }), { minLength: 1, maxLength: 3 }),
  })
  .map(({ count, muted, inSpace }) => {
    const among = Array.from({ length: count }, (_, index) => `m${index}`);
    const nameOf = (index: number) => among[index] ?? '';
    const inbox = (parentId: string | undefined, limit: number | undefined): Operation => ({
      kind: 'inbox',
      userId: USER,
      ...byUser,
      unreadOnly: true,
      limit,
      parentId,
      archived: undefined,
      among,
    });
    const markAll = (parentId: string | undefined, unmutedOnly: boolean | undefined): Operation => ({
      kind: 'mark all',
      userId: USER,
      ...byUser,
      parentId,
      unmutedOnly,
      among,
    });
    const joins = among.map((groupId) => join({ groupId, userId: USER }));
    const messages = among.map((groupId, index) => ({
      groupId,
      messageId: BigInt(index + 1),
      senderId: A_BOT,
      attributes: NO_ATTRIBUTES,
    }));
    const mutes = muted.map((index) =>
      setPreferences({ groupId: nameOf(index), userId: USER }, { mutedUntil: '2999-12-31T23:59:59.999Z' }),
    );
    const settings = inSpace.map((index) => setGroup(nameOf(index), { parentId: SPACE }));
    return [
      ...inChunks(joins, JOINS_AT_ONCE),
      ...recordAll(messages),
      ...[
        ...mutes,
        ...settings,
        badge,
        inbox(undefined, undefined),
        markAll(SPACE, undefined),
        inbox(SPACE, undefined),
        markAll(undefined, true),
        inbox(undefined, 1),
        badge,
        { kind: 'flush' } as const,
        markAll(undefined, undefined),
        inbox(undefined, undefined),
        badge,
      ].map((operation): Step => [operation]),
    ];
  });
