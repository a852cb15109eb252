import { describe, expect, test } from '@jest/globals';
import { CacheConnection } from '../../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { engines } from '../../support/engines.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

/** A group with one recorded message, which the reader has read. */
async function aChat(readers = 1) {
  const [groupId, sender] = [aGroup(), aUser('sender')];
  const members = Array.from({ length: readers }, () => aUser('reader'));
  for (let start = 0; start < readers; start += 100) {
    await addMembers(tidemark, groupId, [sender, ...members.slice(start, start + 100)]);
  }
  const send = (id: number | string, source: Tidemark = tidemark) =>
    recordMessage(source, { groupId, position: at(id), senderId: sender });
  await send(1);
  const [reader = sender] = members;
  await markRead(tidemark, { groupId, userId: reader }, at(1));
  return { groupId, sender, reader, members, send };
}

const registers = async (groupId: GroupId, userId: UserId) => {
  const state = await tidemark.ledger.memberships.read({ groupId, userId });
  if (state?.kind !== 'member') return null;
  return [state.self.position, state.public.position, state.delivered.position].map(Number);
};

const reads = (groupId: GroupId, userId: UserId, id: number | string, source: Tidemark = tidemark) =>
  markRead(source, { groupId, userId }, at(id));

const noted = (groupId: GroupId) => tidemark.redis.exists(`tm:{${groupId}}:early`);

describe('a mark that overtakes its message', () => {
  test('is clamped, and applied when the message is recorded', async () => {
    const { groupId, reader, send } = await aChat();
    expect(await reads(groupId, reader, 2)).toMatchObject({ clamped: true, advanced: false });
    expect(await registers(groupId, reader)).toEqual([1, 1, 1]);
    await send(2);
    expect(await registers(groupId, reader)).toEqual([2, 2, 2]);
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 0,
      mentions: 0,
      first: null,
      exact: true,
    });
    expect(countsOf(await countReceipts(tidemark, { groupId, userId: reader }, [at(2)]))).toEqual([
      [1, 1, 1],
    ]);
    // Only once: later messages are unread.
    await send(3);
    expect(await registers(groupId, reader)).toEqual([2, 2, 2]);
    expect(await noted(groupId)).toBe(0);
  });

  test('is applied with its own kind: private, delivered, or one of a batch', async () => {
    const { groupId, members, send } = await aChat(3);
    const [secret, delivered, several] = members as [UserId, UserId, UserId];
    await markRead(tidemark, { groupId, userId: secret }, at(2), { isPrivate: true, ifRevision: null });
    await markDelivered(tidemark, { groupId, userId: delivered }, at(2));
    const marks = [
      { groupId, position: at(2), kind: 'private' as const, ifRevision: null },
      { groupId, position: at(3), kind: 'read' as const, ifRevision: 0 },
    ];
    await markGroups(tidemark, several, marks);
    await send(2);
    expect(await registers(groupId, secret)).toEqual([2, 1, 1]);
    expect(await registers(groupId, delivered)).toEqual([0, 0, 2]);
    expect(await registers(groupId, several)).toEqual([2, 1, 1]);
    await send(3);
    expect(await registers(groupId, several)).toEqual([3, 3, 3]);
  });

  test('waits for its own message, not for an earlier one', async () => {
    const { groupId, reader, send } = await aChat();
    await reads(groupId, reader, 5);
    await send(2);
    expect(await registers(groupId, reader)).toEqual([1, 1, 1]);
    await send(5);
    expect(await registers(groupId, reader)).toEqual([5, 5, 5]);
  });

  test('does not undo a later mark unread: only what others see moves', async () => {
    const { groupId, reader, send } = await aChat();
    await reads(groupId, reader, 2);
    await markUnread(tidemark, { groupId, userId: reader }, at(1));
    await send(2);
    expect(await registers(groupId, reader)).toEqual([0, 2, 2]);
  });

  test('is not applied in a later membership', async () => {
    const { groupId, reader, send } = await aChat();
    await reads(groupId, reader, 2);
    await removeMember(tidemark, { groupId, userId: reader });
    await addMembers(tidemark, groupId, [reader]);
    await send(2);
    expect(await registers(groupId, reader)).toEqual([1, 1, 1]);
  });

  test('of the largest id means all current messages, and no future ones', async () => {
    const { groupId, reader, send } = await aChat();
    await reads(groupId, reader, '18446744073709551615');
    expect(await noted(groupId)).toBe(0);
    await send(2);
    expect(await registers(groupId, reader)).toEqual([1, 1, 1]);
  });

  test('leaves nothing if the user is not a member', async () => {
    const { groupId } = await aChat();
    expect(await reads(groupId, aUser('stranger'), 2)).toBeNull();
    expect(await noted(groupId)).toBe(0);
  });

  test('is applied by its own call if the message was recorded in the meantime', async () => {
    const { groupId, reader, send } = await aChat();
    const { ledger } = tidemark;
    const heads = replacing(ledger.heads, {
      read: async (groupId) => {
        const head = await ledger.heads.read(groupId);
        await send(2);
        return head;
      },
    });
    const overtaken = { ...tidemark, ledger: { ...ledger, heads } };
    expect(await reads(groupId, reader, 2, overtaken)).toMatchObject({
      advanced: true,
      clamped: false,
      view: {
        membership: { self: { position: at(2) } },
        unread: { count: 0, mentions: 0, first: null, exact: true },
      },
    });
    expect(await registers(groupId, reader)).toEqual([2, 2, 2]);
    expect(await noted(groupId)).toBe(0);
  });

  test('waits for a minute', async () => {
    const { groupId, members, send } = await aChat(2);
    const [early, late] = members as [UserId, UserId];
    let now = Date.now();
    const connection = new CacheConnection({
      credentials: async () => ({ url: engines.upstashUrl, token: engines.upstashToken }),
      timeoutsMs: { connect: 5_000, read: 5_000, write: 5_000 },
    });
    const timed = {
      ...tidemark,
      cache: new GroupCache(connection, { ...DEFAULT_GROUP_CACHE, nowMs: () => now }),
    };
    await reads(groupId, early, 2, timed);
    now += 1;
    await reads(groupId, late, 2, timed);
    now += 59_999;
    await send(2, timed);
    expect(await registers(groupId, early)).toEqual([1, 1, 1]);
    expect(await registers(groupId, late)).toEqual([2, 2, 2]);
  });

  test('is one of at most a few waiting marks of a member', async () => {
    const { groupId, reader, send } = await aChat();
    for (let id = 2; id <= 200; id += 1) await reads(groupId, reader, id);
    expect(await tidemark.redis.hstrlen(`tm:{${groupId}}:early`, reader)).toBeLessThan(400);
    expect(await tidemark.redis.pttl(`tm:{${groupId}}:early`)).toBeLessThanOrEqual(60_000);
    await send(200);
    expect(await registers(groupId, reader)).toEqual([200, 200, 200]);
  });

  test('is applied for very many members, for some of them more than once', async () => {
    const { groupId, members, send } = await aChat(150);
    await Promise.all(members.map((userId) => reads(groupId, userId, 2)));
    await send(2);
    const reached = await Promise.all(members.map((userId) => registers(groupId, userId)));
    expect(reached.filter((own) => own?.[0] === 2)).toHaveLength(150);
  });

  test('does not block its message, which is recorded even if the mark fails', async () => {
    const { groupId, sender, reader } = await aChat();
    await reads(groupId, reader, 2);
    const { ledger } = tidemark;
    const memberships = replacing(ledger.memberships, {
      readMany: async () => {
        throw new Error('the ledger refuses');
      },
    });
    const refusing = { ...tidemark, ledger: { ...ledger, memberships } };
    const sent = { groupId, position: at(2), senderId: sender };
    expect(await recordMessage(refusing, sent)).toEqual({ outcome: 'recorded', head: at(2) });
  });
});
