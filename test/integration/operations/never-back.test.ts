import { expect, test } from '@jest/globals';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

test('500 marks in random order from 10 writers: no reader sees the watermark go back, and the largest stays', async () => {
  const [groupId, userId] = [aGroup(), aUser()];
  await addMembers(tidemark, groupId, [userId]);
  const ids = shuffled(Array.from({ length: 500 }, (_, index) => index + 1));
  let writing = true;
  const readers = Array.from({ length: 4 }, async () => {
    const seen: string[] = [];
    while (writing) {
      const view = await readOwnView(tidemark, { groupId, userId });
      seen.push(view?.membership.self.position ?? 'lost');
    }
    return seen;
  });
  await Promise.all(
    Array.from({ length: 10 }, async (_, writer) => {
      for (const id of ids.filter((_id, index) => index % 10 === writer)) {
        await markRead(tidemark, { groupId, userId }, at(id));
      }
    }),
  );
  writing = false;

  for (const seen of await Promise.all(readers)) {
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual([...seen].sort());
  }
  const maximum = { kind: 'member', self: { position: at(500) }, public: { position: at(500) } };
  expect(await tidemark.ledger.memberships.read({ groupId, userId })).toMatchObject(maximum);
  expect((await tidemark.cache.read({ groupId, userId }))?.state).toMatchObject(maximum);
});

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
