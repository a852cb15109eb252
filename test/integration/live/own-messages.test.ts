import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import { START } from '../../../shared/domain/position.ts';
import { openLive, type TestLive } from '../../support/live.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser } from '../../support/tidemark.ts';

let live: TestLive;
beforeAll(async () => {
  live = await openLive();
});
afterAll(() => live.close());

/** The cache holds the messages above 10. Bob has sent the even ones, and of these 12, 16 and 20 silently. */
async function aWindow() {
  const [groupId, bob, other] = [aGroup(), aUser('bob'), aUser('other')];
  const { cache } = live.tidemark;
  const token = `${Date.now()}-load`;
  const sent = (id: number) => {
    const [isBob, isSilent] = [id % 2 === 0, id % 4 === 0];
    const senderId = isBob ? bob : other;
    return change.message({
      position: at(id),
      senderId,
      isSilent,
      deleted: false,
      recordedAt: 1,
      mentions: [],
    });
  };
  const ids = Array.from({ length: 10 }, (_, index) => 11 + index);
  await cache.merge(groupId, [change.load(token), ...ids.map(sent), change.loaded(token, at(10))]);
  const own = (from: number, to: number, most: number) =>
    live.cache.ownMessages(groupId, bob, { from: from === 0 ? START : at(from), to: at(to) }, most);
  return { groupId, own, sent };
}

test('the newest own messages of a range are found, silent or not', async () => {
  const { own } = await aWindow();
  expect(await own(10, 20, 20)).toEqual([20, 18, 16, 14, 12].map(at));
  expect(await own(10, 20, 3)).toEqual([20, 18, 16].map(at));
  expect(await own(12, 19, 20)).toEqual([18, 16, 14].map(at));
});

test('a range that begins below the window is answered only if the window has enough', async () => {
  const { own } = await aWindow();
  expect(await own(0, 20, 5)).toEqual([20, 18, 16, 14, 12].map(at));
  expect(await own(0, 20, 6)).toBeNull();
});

test('what a load has left below the window is not enough', async () => {
  const { groupId, own, sent } = await aWindow();
  const { cache } = live.tidemark;
  await cache.merge(groupId, [change.load(`${Date.now()}-dies`), sent(4)]);
  expect(await own(0, 20, 6)).toBeNull();
});
