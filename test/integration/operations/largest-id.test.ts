import { describe, expect, test } from '@jest/globals';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { AT_START } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

const EVERYTHING = at('18446744073709551615');
const START = '00000000000000000000';

async function anEmptyGroup() {
  const [groupId, reader, sender] = [aGroup(), aUser('reader'), aUser('sender')];
  await addMembers(tidemark, groupId, [reader, sender]);
  return { groupId, reader, sender };
}

describe('marking everything marks nothing if no message is recorded', () => {
  test('read', async () => {
    const { groupId, reader, sender } = await anEmptyGroup();
    expect(await markRead(tidemark, { groupId, userId: reader }, EVERYTHING)).toMatchObject({
      advanced: false,
      clamped: true,
      view: { head: AT_START, membership: { self: { position: START } } },
    });
    await recordMessage(tidemark, { groupId, position: at(1), senderId: sender });
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 1,
      mentions: 0,
      first: at(1),
      exact: true,
    });
    expect(countsOf(await countReceipts(tidemark, { groupId, userId: reader }, [at(1)]))).toEqual([
      [1, 0, 0],
    ]);
  });

  test('delivered', async () => {
    const { groupId, reader } = await anEmptyGroup();
    expect(await markDelivered(tidemark, { groupId, userId: reader }, EVERYTHING)).toEqual({
      position: START,
      advanced: false,
      clamped: true,
    });
  });

  test('in a batch, in which any other id can be marked', async () => {
    const { groupId, reader } = await anEmptyGroup();
    const mark = (position: typeof EVERYTHING) => ({
      ...{ groupId, position, kind: 'read' as const, ifRevision: null },
    });
    const below = at('18446744073709551614');
    expect(await markGroups(tidemark, reader, [mark(EVERYTHING), mark(below), mark(EVERYTHING)])).toEqual([
      { outcome: 'unchanged', position: START, revision: 0, clamped: true },
      { outcome: 'advanced', position: below, revision: 0, clamped: false },
      { outcome: 'unchanged', position: below, revision: 0, clamped: true },
    ]);
  });

  test('and a join after the largest id starts at the head', async () => {
    const [groupId, late, sender] = [aGroup(), aUser('late'), aUser('sender')];
    await addMembers(tidemark, groupId, [late], EVERYTHING);
    await recordMessage(tidemark, { groupId, position: at(1), senderId: sender });
    expect((await readOwnView(tidemark, { groupId, userId: late }))?.unread).toEqual({
      count: 1,
      mentions: 0,
      first: at(1),
      exact: true,
    });
  });
});
