import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as change from '../../../shared/cache/changes.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { laterOf, type Position, START } from '../../../shared/domain/position.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, type CountedTidemark, openTidemark } from '../../support/tidemark.ts';

/** The messages that a window keeps in these tests. */
const CAPACITY = 40;

/** Each counts up to another limit. All use one cache. */
const LIMITS = [1, 3, 10, 40];
const opened: CountedTidemark[] = [];
beforeAll(async () => {
  for (const unreadLimit of LIMITS) {
    const shared = opened[0] && { tableName: opened[0].tableName };
    opened.push(await openTidemark({ capacity: CAPACITY, unreadLimit, ...shared }));
  }
});
afterAll(async () => {
  // The first one has made the table.
  for (const one of opened.toReversed()) await one.close();
});

function tidemark(): CountedTidemark {
  const [first] = opened;
  if (!first) throw new Error('nothing is opened');
  return first;
}

/** One id is the beginning of another. */
const [reader, reader2, other] = [aUser('reader'), aUser('reader2'), aUser('other')];
const longer = `${reader}|1` as UserId;
const USERS = [reader, longer, reader2, other];

interface SentMessage {
  readonly senderId: UserId;
  readonly isSilent: boolean;
  readonly mentions: 'all' | readonly UserId[];
  /** How many such messages come one after the other, and how far their ids are apart. */
  readonly run: number;
  readonly gap: number;
}

/** Long runs of own and of silent messages are frequent: then the first unread message is far above the own view. */
const sentMessage: fc.Arbitrary<SentMessage> = fc.record({
  senderId: fc.constantFrom(reader, reader, ...USERS),
  isSilent: fc.constantFrom(false, false, true),
  mentions: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.subarray(USERS) },
    { weight: 1, arbitrary: fc.constant('all' as const) },
  ),
  run: fc.constantFrom(1, 1, 1, 8),
  gap: fc.constantFrom(1, 1, 3),
});

function messagesOf(sent: readonly SentMessage[]): Message[] {
  let id = 0;
  return sent.flatMap(({ senderId, isSilent, mentions, run, gap }) => {
    const others = mentions === 'all' ? mentions : mentions.filter((userId) => userId !== senderId);
    return Array.from({ length: run }, () => {
      id += gap;
      return {
        position: at(id),
        senderId,
        isSilent,
        mentions: isSilent ? [] : others,
        deleted: false,
        recordedAt: 1,
      };
    });
  });
}

const deleted = (position: Position) => change.deleted({ position, recordedAt: 1 });

/** What is unread, by plain counting. */
function countPlainly(messages: readonly Message[], userId: UserId, above: Position, limit: number) {
  const unread = messages
    .filter(({ position, senderId, isSilent }) => position > above && senderId !== userId && !isSilent)
    .toSorted((a, b) => (a.position < b.position ? 1 : -1));
  const newest = unread.slice(0, limit);
  const mentioning = newest.filter(({ mentions }) => mentions === 'all' || mentions.includes(userId));
  return {
    count: Math.min(unread.length, limit + 1),
    mentions: mentioning.length,
    first: newest.at(-1)?.position ?? null,
  };
}

async function openWindow(groupId: GroupId): Promise<void> {
  const token = `${Date.now()}-load`;
  const changes = [change.head(headAt(10_000)), change.load(token), change.loaded(token, START)];
  await tidemark().cache.merge(groupId, changes);
}

test('what is unread in a window is what plain counting finds, with any limit', async () => {
  const history = fc.record({
    sent: fc.array(sentMessage, { minLength: 1, maxLength: 40 }),
    removed: fc.array(fc.nat(200), { maxLength: 8 }),
    repeated: fc.array(fc.nat(200), { maxLength: 8 }),
    isReversed: fc.boolean(),
    reads: fc.array(fc.nat(120), { minLength: 3, maxLength: 3 }),
  });
  const property = fc.asyncProperty(history, async ({ sent, removed, repeated, isReversed, reads }) => {
    const groupId = aGroup();
    await openWindow(groupId);
    const messages = messagesOf(sent);
    const chosen = (index: number) => messages[index % messages.length]?.position;
    const gone = new Set(removed.map(chosen));
    await tidemark().cache.merge(groupId, [
      ...(isReversed ? messages.toReversed() : messages).map(change.message),
      ...[...gone].filter((position) => position !== undefined).map(deleted),
      ...repeated.flatMap((index) => messages[index % messages.length] ?? []).map(change.message),
    ]);
    const left = messages.filter(({ position }) => !gone.has(position));
    for (const [index, limit] of LIMITS.entries()) {
      for (const userId of USERS) {
        const groups = reads.map((id) => ({ groupId, position: id === 0 ? START : at(id) }));
        const views = await opened[index]?.cache.readInbox(userId, groups);
        for (const [number, { position }] of groups.entries()) {
          const window = views?.[number]?.window;
          if (!window) throw new Error('there is no window');
          const above = laterOf(position, window.floor);
          expect(window.unread).toEqual(countPlainly(left, userId, above, limit));
          // Nothing was dropped that the window has room for.
          if (messages.length <= CAPACITY) expect(window.floor).toBe(START);
        }
      }
    }
    await tidemark().cache.merge(groupId, messages.map(change.deleted));
    const entries = await tidemark().redis.zrange(`tm:{${groupId}}:messages`, 0, -1);
    expect(entries.filter((entry) => !/^[!~]/.test(entry))).toEqual([]);
  });
  await fc.assert(property, { numRuns: 60 });
});

test('with a message that is dropped all of its entries go', async () => {
  const groupId = aGroup();
  await openWindow(groupId);
  const sent = Array.from({ length: 3 * CAPACITY }, (_, index): Message => {
    const mentions = index % 3 === 0 ? ('all' as const) : [reader, longer];
    return {
      position: at(index + 1),
      senderId: other,
      deleted: false,
      recordedAt: 1,
      isSilent: false,
      mentions,
    };
  });
  const silent = sent.map((message, index) => (index % 5 === 0 ? { ...message, isSilent: true } : message));
  await tidemark().cache.merge(groupId, silent.map(change.message));
  const entries = await tidemark().redis.zrange(`tm:{${groupId}}:messages`, 0, -1);
  const counts = Map.groupBy(entries, ([section = '']) => (/[0-9]/.test(section) ? 'message' : section));
  // Of the newest 40 messages, 8 are silent. Of the others 11 mention everybody and 21 mention two.
  expect(Object.fromEntries([...counts].map(([section, { length }]) => [section, length]))).toEqual({
    '!': 1,
    '%': 32,
    '&': 11,
    '*': 8,
    message: 40,
    '<': 11,
    '=': 8,
    '>': 42,
    '@': 32,
  });
});

test('messages that a load has left below the floor are counted once', async () => {
  const groupId = aGroup();
  const whole = opened.at(-1);
  if (!whole) throw new Error('nothing is opened');
  await addMembers(whole, groupId, [reader]);
  for (let id = 1; id <= 10; id += 1) {
    await recordMessage(whole, { groupId, position: at(id), senderId: other });
  }
  const small = await openTidemark({ tableName: whole.tableName, capacity: 5, unreadLimit: 40 });
  try {
    const { cache } = small;
    const plain = { senderId: other, deleted: false, recordedAt: 1, isSilent: false, mentions: [] };
    const merged = (...ids: number[]) => ids.map((id) => change.message({ ...plain, position: at(id) }));
    const token = `${Date.now()}-load`;
    await cache.merge(groupId, [change.head(headAt(10)), change.load(token), ...merged(6, 7, 8, 9, 10)]);
    await cache.merge(groupId, [change.loaded(token, at(5))]);
    // A load of a larger window dies after its first chunk.
    await whole.cache.merge(groupId, [change.load(`${Date.now()}-dies`), ...merged(3, 5)]);
    expect((await readOwnView(small, { groupId, userId: reader }))?.unread).toEqual({
      count: 10,
      mentions: 0,
      first: at(1),
      exact: true,
    });
  } finally {
    await small.close();
  }
});
