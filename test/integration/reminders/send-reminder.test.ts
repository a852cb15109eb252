import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { advance, joinAt } from '../../../shared/domain/membership.ts';
import type { Mentions } from '../../../shared/domain/message.ts';
import { START } from '../../../shared/domain/position.ts';
import { messageKey } from '../../../shared/ledger/keys.ts';
import { deleteGroup } from '../../../shared/operations/groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { setPreferences } from '../../../shared/operations/preferences.ts';
import type { ReminderJob } from '../../../shared/reminders/reminder-job.ts';
import { type Reminding, sendReminder } from '../../../shared/reminders/send-reminder.ts';
import { at } from '../../support/positions.ts';
import {
  BusInMemory,
  JobsInMemory,
  type Reminder,
  type RemindersOfTable,
  remindersOf,
} from '../../support/reminders.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

const NOON = Date.parse('2026-03-01T12:00:00.000Z');
const PRIVATE = { isPrivate: true, ifRevision: null };

let tidemark: CountedTidemark;
let table: RemindersOfTable;
let queue: JobsInMemory;
let bus: BusInMemory;
beforeAll(async () => {
  tidemark = await openTidemark();
  table = remindersOf(tidemark.tableName);
});
afterAll(async () => {
  table.close();
  await tidemark.close();
});
beforeEach(() => {
  queue = new JobsInMemory();
  bus = new BusInMemory();
});

const withoutCache = (): Pick<Reminding, 'tidemark'> => {
  const { cache } = tidemark;
  const receipts = replacing(cache.receipts, { list: async () => null, claim: async () => null });
  return { tidemark: { ...tidemark, cache: replacing(cache, { receipts }) } };
};

const send = (job: ReminderJob, other: Partial<Reminding> = {}) =>
  sendReminder({ tidemark, reminders: table.reminders, publisher: bus, queue, ...other }, job);

const jobOf = (groupId: GroupId, id: number): ReminderJob => ({
  key: messageKey(groupId, at(id)),
  atMs: NOON,
});

/** Does this job and those that it queues. Returns how many there were. */
async function sendAll(job: ReminderJob, other: Partial<Reminding> = {}): Promise<number> {
  await send(job, other);
  let jobs = 1;
  for (let rest = queue.take(); rest.length > 0; rest = queue.take()) {
    for (const next of rest) await send(next, other);
    jobs += rest.length;
  }
  return jobs;
}

const record = (
  groupId: GroupId,
  id: number,
  senderId: UserId,
  fields: { readonly mentions?: Mentions; readonly isSilent?: boolean } = {},
) =>
  recordMessage(tidemark, {
    ...fields,
    groupId,
    position: at(id),
    senderId,
    sentAtMs: NOON - 600_000,
    remindAfterSeconds: 600,
  });

type Seven = [UserId, UserId, UserId, UserId, UserId, UserId, UserId];

interface Chat {
  readonly groupId: GroupId;
  readonly sender: UserId;
  readonly readers: readonly UserId[];
}

/** A group whose sender has sent message 10. */
async function aChat(readers: number): Promise<Chat> {
  const [groupId, sender] = [aGroup(), aUser('sender')];
  const users = Array.from({ length: readers }, (_, index) => aUser(`u${String(index).padStart(5, '0')}`));
  for (let start = 0; start < users.length; start += 100) {
    await addMembers(tidemark, groupId, users.slice(start, start + 100));
  }
  await addMembers(tidemark, groupId, [sender]);
  await record(groupId, 10, sender);
  return { groupId, sender, readers: users };
}

/** The same, but the readers are members in the cache alone: many of them are there at once. */
async function aCachedChat(readers: number): Promise<Chat> {
  const chat = await aChat(0);
  const { groupId } = chat;
  await forget(tidemark.redis, groupId);
  const users = Array.from({ length: readers }, (_, index) => aUser(`u${String(index).padStart(5, '0')}`));
  const { cache } = tidemark;
  const claim = await cache.receipts.claim(groupId, 'token', Date.now(), Date.now() + 600_000);
  if (claim?.outcome !== 'claimed') throw new Error('the receipts were not claimed');
  const membership = joinAt(START, NOON - 3_600_000, 0);
  for (let start = 0; start < users.length; start += 1_000) {
    const chunk = users.slice(start, start + 1_000);
    await cache.merge(groupId, change.members(chunk.map((userId) => [userId, membership] as const)));
  }
  await cache.merge(groupId, [change.indexed(claim.token)]);
  return { ...chat, readers: users };
}

/** A member of such a group has read the message. */
async function readsInCache({ groupId }: Chat, userIds: readonly UserId[], isPrivate = false): Promise<void> {
  const before = joinAt(START, NOON - 3_600_000, 0);
  const after = advance(before, at(10), NOON, { isPrivate, ifRevision: null });
  await tidemark.cache.merge(groupId, change.members(userIds.map((userId) => [userId, after] as const)));
}

const usersOf = (reminders: readonly Reminder[]) => reminders.flatMap(({ userIds }) => userIds).sort();

describe.each([
  ['with the cache', () => ({})],
  ['without the cache', withoutCache],
])('%s, a reminder', (_name, other) => {
  test('names who has not read the message, publicly or privately, in one event', async () => {
    const { groupId, readers } = await aChat(5);
    const [reads, readsPrivately, readsEarlier, ...others] = readers as [UserId, UserId, UserId];
    await record(groupId, 9, readsEarlier);
    await markRead(tidemark, { groupId, userId: reads }, at(10));
    await markRead(tidemark, { groupId, userId: readsPrivately }, at(10), PRIVATE);
    await markRead(tidemark, { groupId, userId: readsEarlier }, at(9));
    await send(jobOf(groupId, 10), other());
    expect(bus.take()).toEqual([
      {
        type: 'MessageStillUnread',
        ...{ groupId, messageId: '10', isLast: true },
        // In the order of the receipts: who has read less comes first.
        userIds: [...others, readsEarlier],
      },
    ]);
    expect(await table.attributes(groupId, at(10))).toEqual({ reminder: 'done' });
  });

  test('names who has marked the message unread again after a private read, but not after a public one', async () => {
    const { groupId, readers } = await aChat(2);
    const [first, second] = readers as [UserId, UserId];
    await markRead(tidemark, { groupId, userId: first }, at(10), PRIVATE);
    await markRead(tidemark, { groupId, userId: second }, at(10));
    for (const userId of readers) await markUnread(tidemark, { groupId, userId }, at(10));
    await send(jobOf(groupId, 10), other());
    expect(usersOf(bus.take())).toEqual([first]);
  });

  test('names neither the sender, nor who has left, nor who joined after the message', async () => {
    const { groupId, sender, readers } = await aChat(3);
    const [left, rejoined, stays] = readers as [UserId, UserId, UserId];
    await removeMember(tidemark, { groupId, userId: left });
    await removeMember(tidemark, { groupId, userId: rejoined });
    await addMembers(tidemark, groupId, [rejoined, aUser('late')]);
    await record(groupId, 11, stays);
    await send(jobOf(groupId, 10), other());
    // The sender of a later message has read this one too.
    expect(bus.take()).toEqual([]);
    expect(sender).not.toBe(stays);
    await send(jobOf(groupId, 11), other());
    expect(usersOf(bus.take())).toHaveLength(3);
  });

  test('names nobody who has muted the group by then, and of those who want mentions only who is mentioned', async () => {
    const [groupId, sender] = [aGroup(), aUser('sender')];
    const users = ['all', 'none', 'muted', 'unmuted', 'mentioned', 'unmentioned', 'mentionedMuted'].map(
      aUser,
    );
    const [all, none, muted, unmuted, mentioned, unmentioned, mentionedMuted] = users as Seven;
    await addMembers(tidemark, groupId, [sender, ...users]);
    for (const [userId, changed] of [
      [none, { notify: 'none' }],
      [muted, { mutedUntil: NOON + 1 }],
      [unmuted, { mutedUntil: NOON }],
      [mentioned, { notify: 'mentions' }],
      [unmentioned, { notify: 'mentions' }],
      [mentionedMuted, { notify: 'mentions', mutedUntil: NOON + 1 }],
    ] as const) {
      await setPreferences(tidemark, { groupId, userId }, changed);
    }
    await record(groupId, 10, sender, { mentions: [mentioned, mentionedMuted] });
    await record(groupId, 11, sender, { mentions: 'all' });
    await send(jobOf(groupId, 10), other());
    expect(usersOf(bus.take())).toEqual([all, unmuted, mentioned].toSorted());
    await send(jobOf(groupId, 11), other());
    expect(usersOf(bus.take())).toEqual([all, unmuted, mentioned, unmentioned].toSorted());
  });

  test('names who has archived the group, but no hidden reader who has read the message', async () => {
    const { groupId, readers } = await aChat(3);
    const [hidden, archived, stays] = readers as [UserId, UserId, UserId];
    await setPreferences(tidemark, { groupId, userId: hidden }, { hideReceipts: true });
    await setPreferences(tidemark, { groupId, userId: archived }, { archive: 'always' });
    await markRead(tidemark, { groupId, userId: hidden }, at(10));
    await send(jobOf(groupId, 10), other());
    expect(usersOf(bus.take())).toEqual([archived, stays].toSorted());
  });

  test('that everyone has read has no event', async () => {
    const { groupId, readers } = await aChat(2);
    for (const userId of readers) await markRead(tidemark, { groupId, userId }, at(10));
    await send(jobOf(groupId, 10), other());
    expect(bus.take()).toEqual([]);
    expect(await table.attributes(groupId, at(10))).toEqual({ reminder: 'done' });
  });

  test('of a deleted message, or of one that is not recorded, has no event', async () => {
    const { groupId } = await aChat(2);
    await deleteMessage(tidemark, groupId, at(10));
    await send(jobOf(groupId, 10), other());
    await send(jobOf(groupId, 12), other());
    expect(bus.take()).toEqual([]);
    expect(await table.attributes(groupId, at(10))).toEqual({});
  });

  test('of a message of a time before the group was deleted has no event, even if the members are there again', async () => {
    const { groupId, readers } = await aChat(2);
    await deleteGroup(tidemark, groupId);
    await send(jobOf(groupId, 10), other());
    await addMembers(tidemark, groupId, [...readers]);
    await send(jobOf(groupId, 10), other());
    expect(bus.take()).toEqual([]);
  });

  test.each([
    ['no reminder', undefined],
    ['a later reminder', 660],
  ])(
    'of a message that was recorded again with %s, after its group was deleted, has no event',
    async (_, remindAfterSeconds) => {
      const { groupId, sender, readers } = await aChat(1);
      await deleteGroup(tidemark, groupId);
      await addMembers(tidemark, groupId, [sender, ...readers]);
      const sent = { groupId, position: at(10), senderId: sender, sentAtMs: NOON - 600_000 };
      await recordMessage(tidemark, { ...sent, remindAfterSeconds });
      const before = await table.attributes(groupId, at(10));
      await sendAll(jobOf(groupId, 10), other());
      expect(bus.take()).toEqual([]);
      expect(await table.attributes(groupId, at(10))).toEqual(before);
    },
  );

  test('has a hundred users an event, of which the last one is marked, and happens once', async () => {
    const { groupId, readers } = await aChat(250);
    await send(jobOf(groupId, 10), other());
    const events = bus.take();
    expect(events.map(({ userIds, isLast }) => [userIds.length, isLast])).toEqual([
      [100, false],
      [100, false],
      [50, true],
    ]);
    expect(usersOf(events)).toEqual([...readers]);
    await send(jobOf(groupId, 10), other());
    expect(bus.take()).toEqual([]);
  });

  test('goes on where it stopped', async () => {
    const { groupId, readers } = await aChat(5);
    const progress = `1${START}|${readers[2]}`;
    expect(await table.reminders.progress(messageKey(groupId, at(10)), null, progress)).toBe(true);
    await send(jobOf(groupId, 10), other());
    expect(bus.take()).toMatchObject([{ userIds: readers.slice(3), isLast: true }]);
  });
});

describe('a reminder', () => {
  test('that fails goes on where it stopped', async () => {
    const { groupId, readers } = await aCachedChat(1_250);
    bus.refuses = () => bus.reminders.length >= 10;
    await expect(send(jobOf(groupId, 10))).rejects.toMatchObject({ code: 'unavailable' });
    const published = bus.take();
    expect(published).toHaveLength(10);
    bus.refuses = () => false;
    await send(jobOf(groupId, 10));
    published.push(...bus.take());
    expect(published.map(({ userIds, isLast }) => [userIds.length, isLast])).toEqual([
      ...Array.from({ length: 12 }, () => [100, false]),
      [50, true],
    ]);
    expect(usersOf(published)).toEqual([...readers]);
  });

  test('of a large group is shared by several jobs, also where one has nobody to name', async () => {
    const chat = await aCachedChat(620);
    const { groupId, readers } = chat;
    await readsInCache(chat, readers.slice(0, 510), true);
    expect(await sendAll(jobOf(groupId, 10), { mostMembers: 100 })).toBe(2);
    expect(bus.take()).toMatchObject([
      { userIds: readers.slice(510, 610), isLast: false },
      { userIds: readers.slice(610), isLast: true },
    ]);
  });

  test('whose later readers have all read by the next job still has a last event', async () => {
    const chat = await aCachedChat(510);
    const { groupId, readers } = chat;
    await send(jobOf(groupId, 10), { mostMembers: 500 });
    expect(usersOf(bus.take())).toEqual(readers.slice(0, 500));
    await readsInCache(chat, readers.slice(500));
    for (const job of queue.take()) await send(job);
    expect(bus.take()).toEqual([
      { type: 'MessageStillUnread', groupId, messageId: '10', userIds: [], isLast: true },
    ]);
  });

  test('that is deleted between two jobs ends', async () => {
    const { groupId } = await aCachedChat(510);
    await send(jobOf(groupId, 10), { mostMembers: 500 });
    bus.take();
    await deleteMessage(tidemark, groupId, at(10));
    const jobs = queue.take();
    expect(jobs).toEqual([jobOf(groupId, 10)]);
    for (const job of jobs) await send(job);
    expect(bus.take()).toEqual([]);
    expect(await table.attributes(groupId, at(10))).toEqual({});
  });

  test('that is deleted while its events leave ends, and is not marked', async () => {
    const { groupId } = await aChat(3);
    const publisher = {
      publish: async (events: Parameters<typeof bus.publish>[0]) => {
        await deleteMessage(tidemark, groupId, at(10));
        return bus.publish(events);
      },
    };
    await send(jobOf(groupId, 10), { publisher });
    expect(bus.take()).toHaveLength(1);
    expect(await table.attributes(groupId, at(10))).toEqual({});
  });

  test('whose progress is lost after the events repeats only these', async () => {
    const { groupId, readers } = await aCachedChat(1_250);
    let stored = 0;
    const dying = replacing(table.reminders, {
      progress: async (...given) => {
        stored += 1;
        if (stored === 2) throw new Error('the instance dies');
        return table.reminders.progress(...given);
      },
    });
    await expect(send(jobOf(groupId, 10), { reminders: dying })).rejects.toThrow('the instance dies');
    const before = bus.take();
    expect(before).toHaveLength(13);
    await send(jobOf(groupId, 10));
    expect(usersOf(bus.take())).toEqual(readers.slice(1_000));
  });

  test('with two jobs at once is finished by one of them', async () => {
    const { groupId, readers } = await aCachedChat(1_250);
    await Promise.all([send(jobOf(groupId, 10)), send(jobOf(groupId, 10))]);
    const named = usersOf(bus.take());
    expect([...new Set(named)]).toEqual([...readers]);
    // The one that is behind publishes at most the events of one call of the bus again.
    expect(named.length).toBeLessThanOrEqual(2_250);
    expect(await table.attributes(groupId, at(10))).toEqual({ reminder: 'done' });
  });

  test('takes the message out of the index, if the function that found it could not', async () => {
    const { groupId } = await aChat(1);
    expect(await table.inIndex()).toContain(`GROUP#${groupId} MSG#00000000000000000010`);
    await send(jobOf(groupId, 10));
    expect(await table.inIndex()).not.toContain(`GROUP#${groupId} MSG#00000000000000000010`);
  });

  test('of a group with receipts in the cache costs two reads and one write of the ledger, and one call of the cache', async () => {
    const { groupId } = await aCachedChat(250);
    tidemark.takeCalls();
    const ofLedger: string[] = [];
    const reminders = replacing(table.reminders, {
      read: (...given) => {
        ofLedger.push('read');
        return table.reminders.read(...given);
      },
      progress: (...given) => {
        ofLedger.push('write');
        return table.reminders.progress(...given);
      },
    });
    await send(jobOf(groupId, 10), { reminders });
    // The head says whether the group was deleted since.
    expect(tidemark.takeCalls()).toEqual(['ledger GetItem', 'cache']);
    expect(ofLedger).toEqual(['read', 'write']);
    expect(bus.take()).toHaveLength(3);
  });

  test('loads the receipts of a group if nobody has read them', async () => {
    const { groupId, readers } = await aChat(3);
    await forget(tidemark.redis, groupId);
    await send(jobOf(groupId, 10));
    expect(usersOf(bus.take())).toEqual([...readers]);
    expect(await tidemark.redis.exists(`tm:{${groupId}}:receipts`)).toBe(1);
  });

  test('waits for another caller who loads them, and is tried again', async () => {
    const { groupId, readers } = await aChat(3);
    await tidemark.cache.receipts.claim(groupId, 'another', Date.now(), Date.now() + 60_000);
    await expect(send(jobOf(groupId, 10))).rejects.toMatchObject({ code: 'unavailable' });
    expect(bus.take()).toEqual([]);
    await forget(tidemark.redis, groupId);
    await send(jobOf(groupId, 10));
    expect(usersOf(bus.take())).toEqual([...readers]);
  });

  test('that the queue does not continue fails, and goes on where it stopped', async () => {
    const { groupId, readers } = await aCachedChat(510);
    queue.refuses = () => true;
    await expect(send(jobOf(groupId, 10), { mostMembers: 500 })).rejects.toThrow();
    expect(usersOf(bus.take())).toEqual(readers.slice(0, 500));
    queue.refuses = () => false;
    await send(jobOf(groupId, 10));
    expect(usersOf(bus.take())).toEqual(readers.slice(500));
  });
});

test('20,000 members are named by eleven jobs, of which each holds a page of 500 and the users of ten events', async () => {
  const { groupId, readers } = await aCachedChat(20_000);
  let largestPage = 0;
  const receipts = replacing(tidemark.cache.receipts, {
    list: async (...given) => {
      const page = await tidemark.cache.receipts.list(...given);
      if (page && page !== 'missing') largestPage = Math.max(largestPage, page.members.length);
      return page;
    },
  });
  const watched = { ...tidemark, cache: replacing(tidemark.cache, { receipts }) };
  // The last page of the tenth job is full, so that one more looks for others.
  expect(await sendAll(jobOf(groupId, 10), { tidemark: watched })).toBe(11);
  expect(largestPage).toBe(500);
  const events = bus.take();
  expect(events.map(({ userIds, isLast }) => [userIds.length, isLast])).toEqual([
    ...Array.from({ length: 200 }, () => [100, false]),
    [0, true],
  ]);
  expect(usersOf(events)).toEqual([...readers]);
});
