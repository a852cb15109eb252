import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exportAnswer } from '../../../functions/runtime/export-answer.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { Erasures } from '../../../shared/ledger/erasures.ts';
import { USER_ITEMS } from '../../../shared/ledger/keys.ts';
import { type UserItem, UserItems } from '../../../shared/ledger/user-items.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers, applyJoin, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { setPreferences } from '../../../shared/operations/preferences.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { connectDynamoDb } from '../../support/engines.ts';
import { openLive, type TestLive } from '../../support/live.ts';
import { at } from '../../support/positions.ts';
import { aUser } from '../../support/tidemark.ts';

let live: TestLive;
let items: UserItems;
beforeAll(async () => {
  live = await openLive();
  items = new UserItems(live.table);
});
afterAll(() => live.close());

/** The service at a second of the year 2026, in UTC. */
const atSecond = (second: number): Tidemark => ({
  ...live.tidemark,
  nowMs: () => Date.UTC(2026, 0, 31, 12, 0, second),
});

const group = (name: string) => `${name}-${aUser()}` as GroupId;

/** All items of a user, read `limit` at a time, and the number of pages. */
async function everything(userId: ReturnType<typeof aUser>, limit: number) {
  const found: UserItem[] = [];
  let pages = 0;
  let after: string | null = null;
  do {
    const page = await items.page(userId, limit, after);
    found.push(...page.items);
    pages += 1;
    after = page.next;
  } while (after !== null);
  return { found, pages };
}

test('an export has an item of each kind, with all that it holds', async () => {
  const [ann, bob] = [aUser('ann'), aUser('bob')];
  const [left, tea] = [group('left'), group('tea')];
  await addMembers(atSecond(0), left, [bob]);
  await removeMember(atSecond(1), { groupId: left, userId: bob });
  await recordMessage(atSecond(2), { groupId: tea, position: at(100), senderId: ann });
  await applyJoin(
    atSecond(4),
    { groupId: tea, userId: bob },
    {
      joinedAtMs: Date.UTC(2026, 0, 31, 12, 0, 3),
      joinedAfter: at(100),
    },
  );
  await recordMessage(atSecond(5), { groupId: tea, position: at('18446744073709551615'), senderId: ann });
  const inTea = { groupId: tea, userId: bob };
  await markRead(atSecond(6), inTea, at('18446744073709551615'));
  await setPreferences(atSecond(7), inTea, { notify: 'mentions', archive: 'untilNew', hideReceipts: true });
  const connectedAtMs = Date.UTC(2026, 0, 31, 12, 0, 8);
  await live.connections.add(bob, {
    connectionId: 'c-1',
    connectedAtMs,
    tokenExpiresAtMs: connectedAtMs + 1_000,
  });

  await new Erasures(live.table).begin({ kind: 'user', userId: bob }, Date.UTC(2026, 0, 31, 12, 0, 9));

  const { found } = await everything(bob, 100);
  expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(Object.keys(USER_ITEMS)));
  expect(exportAnswer(found)).toEqual({
    memberships: [
      {
        groupId: left,
        current: null,
        history: { joinings: [], leftAt: '2026-01-31T12:00:01.000Z', lastRevision: 0, sentHidden: null },
        expiresAt: '2026-03-02T12:00:01.000Z',
      },
      {
        groupId: tea,
        current: {
          membership: Date.UTC(2026, 0, 31, 12, 0, 3),
          joinedAfter: '100',
          own: { messageId: '18446744073709551615', at: '2026-01-31T12:00:06.000Z', revision: 0 },
          public: { messageId: '18446744073709551615', at: '2026-01-31T12:00:06.000Z' },
          delivered: { messageId: '18446744073709551615', at: '2026-01-31T12:00:06.000Z' },
          preferences: {
            ...{ notify: 'mentions', mutedUntil: null, hideReceipts: true, archive: 'untilNew' },
            ...{ revision: 1, archivedAt: '18446744073709551615', at: '2026-01-31T12:00:07.000Z' },
          },
        },
        history: {
          joinings: [
            {
              at: '2026-01-31T12:00:03.000Z',
              joinedAfter: '100',
              receivedAt: '2026-01-31T12:00:04.000Z',
            },
          ],
          ...{ leftAt: null, lastRevision: null, sentHidden: null },
        },
        expiresAt: null,
      },
    ],
    connections: [
      {
        connectedAt: '2026-01-31T12:00:08.000Z',
        tokenExpiresAt: '2026-01-31T12:00:09.000Z',
        expiresAt: '2026-01-31T14:10:08.000Z',
      },
    ],
    erasures: [{ begunAt: '2026-01-31T12:00:09.000Z' }],
    unreadable: [],
  });
});

test('an export comes in pages, each item once', async () => {
  const cem = aUser('cem');
  const groups = Array.from({ length: 5 }, (_, index) => group(`g${index}`));
  for (const groupId of groups) await addMembers(live.tidemark, groupId, [cem]);
  const { found, pages } = await everything(cem, 2);
  expect(exportAnswer(found).memberships.map(({ groupId }) => groupId)).toEqual(groups);
  expect(pages).toBeGreaterThanOrEqual(3);
});

test('an export names the items that it cannot read', async () => {
  const [dan, groupId] = [aUser('dan'), group('hall')];
  await addMembers(live.tidemark, groupId, [dan]);
  const client = connectDynamoDb();
  const put = (SK: string, item: Record<string, { S: string }>) =>
    client.send(
      new PutItemCommand({
        TableName: live.tidemark.tableName,
        Item: { PK: { S: `USER#${dan}` }, SK: { S: SK }, ...item },
      }),
    );
  await put('CONN#broken', { kind: { S: 'connection' } });
  await put('GROUP#broken', { kind: { S: 'membership' }, groupId: { S: 'broken' } });
  await put('NEW#1', { kind: { S: 'newer' } });
  client.destroy();
  const { found } = await everything(dan, 100);
  const { memberships, connections, unreadable } = exportAnswer(found);
  expect(memberships.map((membership) => membership.groupId)).toEqual([groupId]);
  expect(connections).toEqual([]);
  expect(unreadable).toEqual(['CONN#broken', 'GROUP#broken', 'NEW#1']);
});
