import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Head } from '../../../shared/domain/head.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { type Position, START } from '../../../shared/domain/position.ts';
import type { Heads, SettingsPatch } from '../../../shared/ledger/heads.ts';
import { connectDynamoDb } from '../../support/engines.ts';
import { AT_START, headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { aGroup, type CountedTidemark, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
let heads: Heads;
beforeAll(async () => {
  tidemark = await openTidemark();
  ({ heads } = tidemark.ledger);
});
afterAll(() => tidemark.close());

interface Sent {
  readonly id: number;
  readonly isSilent: boolean;
}

const message = (id: number, isSilent: boolean) => ({ position: at(id), isSilent, recordedAt: 1 });

/** What two numbers in memory say of the same messages: zero where there is none. */
const plainly = (sent: readonly Sent[]) => ({
  position: Math.max(0, ...sent.map(({ id }) => id)),
  loud: Math.max(0, ...sent.filter(({ isSilent }) => !isSilent).map(({ id }) => id)),
});

const plain = ({ position, loud }: { readonly position: Position; readonly loud: Position }) => ({
  position: Number(position),
  loud: Number(loud),
});

/** The calls of the ledger, and the head that the last of them left. */
async function raised(groupId: GroupId, id: number, isSilent = false) {
  tidemark.takeCalls();
  const head = await heads.raise(groupId, message(id, isSilent));
  return { ...plain(head), writes: tidemark.takeCalls().length };
}

describe('the head of a group', () => {
  test('is at the start if nothing is recorded', async () => {
    const [one, other] = [aGroup(), aGroup()];
    expect(await heads.read(one)).toEqual(AT_START);
    await heads.raise(other, message(5, false));
    expect([...(await heads.readMany([one, other]))]).toEqual([
      [one, AT_START],
      [other, headAt(5)],
    ]);
  });

  test('is raised in one write, and needs a second one only for a message that is older than a silent one', async () => {
    const groupId = aGroup();
    expect(await raised(groupId, 10)).toEqual({ position: 10, loud: 10, writes: 1 });
    expect(await raised(groupId, 20, true)).toEqual({ position: 20, loud: 10, writes: 1 });
    expect(await raised(groupId, 30, true)).toEqual({ position: 30, loud: 10, writes: 1 });
    expect(await raised(groupId, 15)).toEqual({ position: 30, loud: 15, writes: 2 });
    expect(await raised(groupId, 12)).toEqual({ position: 30, loud: 15, writes: 1 });
    expect(await raised(groupId, 15)).toEqual({ position: 30, loud: 15, writes: 1 });
    expect(await raised(groupId, 25, true)).toEqual({ position: 30, loud: 15, writes: 1 });
    expect(await raised(groupId, 40)).toEqual({ position: 40, loud: 40, writes: 1 });
    expect(await raised(groupId, 5)).toEqual({ position: 40, loud: 40, writes: 1 });
    expect(await heads.read(groupId)).toEqual(headAt(40));
  });

  test('has no message that is not silent if all are silent', async () => {
    const groupId = aGroup();
    expect(await heads.raise(groupId, message(3, true))).toEqual({ ...headAt(3), loud: START });
    expect(await heads.raise(groupId, message(2, true))).toEqual({ ...headAt(3), loud: START });
    expect(await raised(groupId, 1)).toEqual({ position: 3, loud: 1, writes: 2 });
  });

  test('is read and raised as before in an item that has a position alone', async () => {
    const groupId = aGroup();
    const client = connectDynamoDb();
    await client.send(
      new PutItemCommand({
        TableName: tidemark.tableName,
        Item: {
          ...{ PK: { S: `GROUP#${groupId}` }, SK: { S: 'HEAD' }, kind: { S: 'head' } },
          ...{ groupId: { S: groupId }, position: { S: at(7) } },
        },
      }),
    );
    client.destroy();
    expect(await heads.read(groupId)).toEqual(headAt(7));
    expect(await raised(groupId, 9, true)).toEqual({ position: 9, loud: 7, writes: 1 });
  });

  test('is as two numbers in memory say after any messages, in any order and repeated', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ id: fc.integer({ min: 1, max: 12 }), isRepeated: fc.boolean() }), {
          minLength: 1,
          maxLength: 10,
        }),
        fc.integer({ min: 0, max: 2 ** 12 }),
        fc.constantFrom(1, 4),
        async (steps, silentOnes, atOnce) => {
          const groupId = aGroup();
          // A message is silent or not for good.
          const sent = steps.flatMap(({ id, isRepeated }): Sent[] => {
            const one = { id, isSilent: (silentOnes & (1 << (id - 1))) !== 0 };
            return isRepeated ? [one, one] : [one];
          });
          const seen = await inParallel(sent, atOnce, ({ id, isSilent }) =>
            heads.raise(groupId, message(id, isSilent)),
          );
          expect(plain(await heads.read(groupId))).toEqual(plainly(sent));
          for (const [index, head] of seen.entries()) {
            const own = plainly(sent.slice(index, index + 1));
            expect(plain(head).position).toBeGreaterThanOrEqual(own.position);
            expect(plain(head).loud).toBeGreaterThanOrEqual(own.loud);
          }
        },
      ),
      { numRuns: 60 },
    ));
});

/** The settings of a head, without their revision. */
const values = (set: Head | 'conflict') =>
  set === 'conflict' ? set : [set.settings.parentId, set.settings.receipts];

describe('the settings of a group', () => {
  const [tea, coffee] = ['tea', 'coffee'] as [GroupId, GroupId];

  /** The calls of the ledger of one change, what it returned, and the revision afterwards. */
  async function set(groupId: GroupId, patch: SettingsPatch) {
    tidemark.takeCalls();
    const returned = await heads.set(groupId, patch);
    const calls = tidemark.takeCalls();
    const { settings } = await heads.read(groupId);
    return { returned: values(returned), calls: calls.length, revision: settings.revision };
  }

  test('are set in one write, and a new revision comes only with a change', async () => {
    const groupId = aGroup();
    const first = { returned: ['tea', 'members'], calls: 1, revision: 1 };
    expect(await set(groupId, { parentId: tea })).toEqual(first);
    expect(await set(groupId, { parentId: tea })).toEqual(first);
    expect(await set(groupId, { receipts: 'members' })).toEqual(first);
    const second = { returned: ['tea', 'sender'], calls: 1, revision: 2 };
    expect(await set(groupId, { parentId: tea, receipts: 'sender' })).toEqual(second);
    expect(await set(groupId, { receipts: 'sender' })).toEqual(second);
    expect(await set(groupId, { receipts: 'off' })).toEqual({
      ...{ returned: ['tea', 'off'], calls: 1, revision: 3 },
    });
    expect(await set(groupId, { receipts: 'members' })).toEqual({
      ...{ returned: ['tea', 'members'], calls: 1, revision: 4 },
    });
  });

  test('leave nothing in the ledger if they are the defaults', async () => {
    const groupId = aGroup();
    for (const patch of [
      { receipts: 'members' },
      { parentId: null },
      { parentId: null, receipts: 'members' },
    ]) {
      expect(await set(groupId, patch as SettingsPatch)).toEqual({
        ...{ returned: [null, 'members'], calls: 1, revision: 0 },
      });
    }
    expect(await heads.read(groupId)).toEqual(AT_START);
  });

  test.each([coffee, null])('have one parent for good: with %p nothing changes', async (other) => {
    const groupId = aGroup();
    await heads.set(groupId, { parentId: tea });
    for (const patch of [{ parentId: other }, { parentId: other, receipts: 'off' }] as SettingsPatch[]) {
      expect(await set(groupId, patch)).toEqual({ returned: 'conflict', calls: 1, revision: 1 });
    }
    expect(values(await heads.read(groupId))).toEqual(['tea', 'members']);
  });

  test('can be set without a parent first, and get the parent later', async () => {
    const groupId = aGroup();
    expect(await set(groupId, { parentId: null, receipts: 'off' })).toMatchObject({ revision: 1 });
    expect(await set(groupId, { parentId: tea })).toEqual({
      ...{ returned: ['tea', 'off'], calls: 1, revision: 2 },
    });
  });

  test('stay when messages come, and the head stays when they change', async () => {
    const groupId = aGroup();
    await heads.set(groupId, { parentId: tea, receipts: 'off' });
    const settings = { revision: 1, parentId: tea, receipts: 'off' };
    expect(await heads.raise(groupId, message(5, true))).toEqual({ ...headAt(5), loud: START, settings });
    expect(await heads.raise(groupId, message(4, false))).toEqual({ ...headAt(5), loud: at(4), settings });
    expect(await heads.set(groupId, { receipts: 'sender' })).toEqual({
      ...{ ...headAt(5), loud: at(4) },
      settings: { revision: 2, parentId: tea, receipts: 'sender' },
    });
  });

  test('of two calls with different parents at the same time, one wins whole', async () => {
    for (let round = 0; round < 20; round += 1) {
      const groupId = aGroup();
      const returned = await Promise.all([
        heads.set(groupId, { parentId: tea, receipts: 'off' }),
        heads.set(groupId, { parentId: coffee, receipts: 'sender' }),
      ]);
      expect(returned.map(values).filter((one) => one === 'conflict')).toHaveLength(1);
      const { settings } = await heads.read(groupId);
      expect(settings).toEqual(
        settings.parentId === tea
          ? { revision: 1, parentId: tea, receipts: 'off' }
          : { revision: 1, parentId: coffee, receipts: 'sender' },
      );
    }
  });

  test('of two calls about different settings at the same time, both stay', async () => {
    for (let round = 0; round < 20; round += 1) {
      const groupId = aGroup();
      await Promise.all([heads.set(groupId, { parentId: tea }), heads.set(groupId, { receipts: 'off' })]);
      const { settings } = await heads.read(groupId);
      expect(settings).toEqual({ revision: 2, parentId: tea, receipts: 'off' });
    }
  });
});

describe('the head of a deleted group', () => {
  const T = 1_700_000_000_000;
  const deletedAt = (epoch: number) => ({ ...AT_START, epoch });

  /** The attributes of the item, without its key. */
  async function itemOf(groupId: GroupId) {
    const client = connectDynamoDb();
    const { Item } = await client.send(
      new GetItemCommand({
        TableName: tidemark.tableName,
        Key: { PK: { S: `GROUP#${groupId}` }, SK: { S: 'HEAD' } },
        ConsistentRead: true,
      }),
    );
    client.destroy();
    const { PK: _partition, SK: _sort, ...attributes } = Item ?? {};
    return attributes;
  }

  test('has nothing but its epoch, which expires after thirty days, and it takes one write', async () => {
    const groupId = aGroup();
    await heads.set(groupId, { parentId: 'tea' as GroupId, receipts: 'off' });
    await heads.raise(groupId, message(9, true));
    tidemark.takeCalls();
    expect(await heads.delete(groupId, T)).toEqual(deletedAt(T));
    expect(tidemark.takeCalls()).toEqual(['ledger UpdateItem']);
    expect(await itemOf(groupId)).toEqual({
      ...{ kind: { S: 'head' }, groupId: { S: groupId }, position: { S: '00000000000000000000' } },
      ...{ epoch: { N: '1700000000000' }, expiresAt: { N: '1702592000' } },
    });
  });

  test('never has a smaller epoch, even if a clock is behind, and each deletion has its own', async () => {
    const groupId = aGroup();
    await heads.delete(groupId, T);
    expect(await heads.delete(groupId, T)).toEqual(deletedAt(T + 1));
    expect(await heads.delete(groupId, T - 60_000)).toEqual(deletedAt(T + 2));
    expect(await heads.delete(groupId, T + 9)).toEqual(deletedAt(T + 9));
    const epochs = (await Promise.all([1, 2, 3].map(() => heads.delete(groupId, T)))).map(
      ({ epoch }) => epoch,
    );
    expect(epochs.toSorted()).toEqual([T + 10, T + 11, T + 12]);
  });

  test.each([
    ['a message that is not silent', false],
    ['a silent message', true],
  ])('is raised only by %s that was recorded after the epoch, and then it stays', async (_, isSilent) => {
    const groupId = aGroup();
    const recorded = (id: number, recordedAt: number) => ({ position: at(id), isSilent, recordedAt });
    await heads.raise(groupId, recorded(900, T - 1));
    await heads.delete(groupId, T);
    expect(await heads.raise(groupId, recorded(901, T - 1))).toEqual(deletedAt(T));
    expect(await heads.raise(groupId, recorded(901, T))).toEqual(deletedAt(T));
    expect(await heads.raise(groupId, recorded(1, T + 1))).toMatchObject({ epoch: T, position: at(1) });
    expect(await itemOf(groupId)).not.toHaveProperty('expiresAt');
    expect(await heads.raise(groupId, recorded(902, T))).toMatchObject({ epoch: T, position: at(1) });
  });

  test('stays once settings are made', async () => {
    const groupId = aGroup();
    await heads.delete(groupId, T);
    expect(await heads.set(groupId, { receipts: 'off' })).toEqual({
      ...deletedAt(T),
      settings: { revision: 1, parentId: null, receipts: 'off' },
    });
    expect(await itemOf(groupId)).not.toHaveProperty('expiresAt');
  });

  test('a message older than the newest silent one does not raise `loud` after a deletion', async () => {
    const groupId = aGroup();
    await heads.delete(groupId, T);
    await heads.raise(groupId, { ...message(9, true), recordedAt: T + 1 });
    expect(await heads.raise(groupId, { ...message(5, false), recordedAt: T })).toMatchObject({
      loud: START,
    });
    expect(await heads.raise(groupId, { ...message(5, false), recordedAt: T + 1 })).toMatchObject({
      loud: at(5),
    });
  });
});
