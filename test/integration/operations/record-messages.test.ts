import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { unavailable } from '../../../shared/domain/errors.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage, type Sent } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { recordMessages } from '../../../shared/operations/record-messages.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, forget, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

let warnings: jest.SpiedFunction<typeof console.warn>;
beforeEach(() => {
  warnings = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const message = (groupId: GroupId, id: number, senderId: UserId, more: Partial<Sent> = {}): Sent => ({
  ...{ groupId, position: at(id), senderId },
  ...more,
});

describe('messages of several groups', () => {
  test('have one outcome each, in the order of the call', async () => {
    const [tea, attic, ann, bob] = [aGroup(), aGroup(), aUser('ann'), aUser('bob')];
    await addMembers(tidemark, tea, [ann, bob]);
    await addMembers(tidemark, attic, [ann]);
    await recordMessage(tidemark, message(attic, 7, ann));
    expect(
      await recordMessages(tidemark, [
        message(tea, 2, ann),
        message(attic, 7, ann),
        message(tea, 1, bob, { mentions: [ann] }),
        message(attic, 7, bob),
        message(tea, 2, ann),
        message(tea, 2, bob),
        message(attic, 8, bob),
      ]),
    ).toEqual(['recorded', 'known', 'recorded', 'conflict', 'known', 'conflict', 'recorded']);
    for (const isWarm of [true, false]) {
      if (!isWarm) await forget(tidemark.redis, tea);
      expect(await readOwnView(tidemark, { groupId: tea, userId: bob })).toMatchObject({
        head: headAt(2),
        membership: { self: { position: at(1) } },
        unread: { count: 1, mentions: 0, first: at(2), exact: true },
      });
      expect(await readOwnView(tidemark, { groupId: attic, userId: ann })).toMatchObject({
        head: headAt(8),
        membership: { self: { position: at(7) } },
        unread: { count: 1, mentions: 0, first: at(8), exact: true },
      });
    }
  });

  test('share the write of the head, one write for each sender, and the call of the cache', async () => {
    const [groupId, ann, bob] = [aGroup(), aUser('ann'), aUser('bob')];
    await addMembers(tidemark, groupId, [ann, bob]);
    tidemark.takeCalls();
    await recordMessages(
      tidemark,
      [1, 2, 3, 4, 5].map((id) => message(groupId, id, id % 2 === 0 ? ann : bob)),
    );
    // Five messages, the head and two senders.
    expect(tidemark.takeCalls()).toEqual([...Array.from({ length: 8 }, () => 'ledger UpdateItem'), 'cache']);
  });

  test('that are all in conflict change nothing', async () => {
    const [groupId, ann, bob] = [aGroup(), aUser('ann'), aUser('bob')];
    await addMembers(tidemark, groupId, [ann, bob]);
    await recordMessage(tidemark, message(groupId, 5, ann));
    tidemark.takeCalls();
    expect(await recordMessages(tidemark, [message(groupId, 5, bob)])).toEqual(['conflict']);
    expect(tidemark.takeCalls()).toEqual(['ledger UpdateItem', 'ledger GetItem']);
  });

  test.each(['record', 'raise'] as const)(
    'do not fail with a group whose %s fails, which a repetition completes',
    async (failing) => {
      const [sound, broken, ann] = [aGroup(), aGroup(), aUser('ann')];
      await addMembers(tidemark, sound, [ann]);
      await addMembers(tidemark, broken, [ann]);
      const refuse = (groupId: GroupId) => {
        if (groupId === broken) throw unavailable(new Error('the ledger refuses'));
      };
      const { messages, heads } = tidemark.ledger;
      const failingParts = {
        record: {
          messages: replacing(messages, {
            record: async (groupId, ...others) => {
              refuse(groupId);
              return messages.record(groupId, ...others);
            },
          }),
        },
        raise: {
          heads: replacing(heads, {
            raise: async (groupId, ...others) => {
              refuse(groupId);
              return heads.raise(groupId, ...others);
            },
          }),
        },
      };
      const refusing = { ...tidemark, ledger: { ...tidemark.ledger, ...failingParts[failing] } };
      const sent = [
        message(broken, 1, ann),
        message(sound, 1, ann),
        message(broken, 2, ann),
        message(sound, 2, ann),
      ];
      expect(await recordMessages(refusing, sent)).toEqual(['failed', 'recorded', 'failed', 'recorded']);
      expect(warnings).toHaveBeenCalledTimes(1);
      const again = await recordMessages(tidemark, sent);
      const outcome = failing === 'record' ? 'recorded' : 'known';
      expect(again).toEqual([outcome, 'known', outcome, 'known']);
      expect(await readOwnView(tidemark, { groupId: broken, userId: ann })).toMatchObject({
        head: headAt(2),
        membership: { self: { position: at(2) } },
      });
    },
  );
});

test('messages of one call do what they do one after the other', async () => {
  const sent = fc.record({
    id: fc.integer({ min: 1, max: 8 }),
    by: fc.constantFrom('ann', 'ann', 'bob', 'guest'),
    isSilent: fc.constantFrom(false, false, true),
    mentions: fc.constantFrom('none', 'ann', 'all'),
    advanceSender: fc.constantFrom(true, true, false),
  });
  const before = fc.array(sent, { maxLength: 5 });
  const isBack = fc.boolean();
  const property = fc.asyncProperty(
    fc.record({ before, isBack, read: fc.nat(8), call: fc.array(sent, { minLength: 1, maxLength: 8 }) }),
    async ({ before, isBack, read, call }) => {
      const ids = { ann: aUser('ann'), bob: aUser('bob'), guest: aUser('guest') };
      const users = [ids.ann, ids.bob];
      const [together, alone] = [aGroup(), aGroup()];
      const messageIn = (groupId: GroupId, { id, by, mentions, ...more }: (typeof call)[number]) =>
        message(groupId, id, ids[by as keyof typeof ids], {
          ...more,
          mentions: mentions === 'all' ? 'all' : mentions === 'ann' ? [ids.ann] : [],
        });
      for (const groupId of [together, alone]) {
        await addMembers(tidemark, groupId, users);
        for (const one of before) await recordMessage(tidemark, messageIn(groupId, one));
        if (read > 0) await markRead(tidemark, { groupId, userId: ids.ann }, at(read));
        if (isBack) await markUnread(tidemark, { groupId, userId: ids.ann }, at(2));
      }
      const outcomes: string[] = [];
      for (const one of call) outcomes.push((await recordMessage(tidemark, messageIn(alone, one))).outcome);
      expect(
        await recordMessages(
          tidemark,
          call.map((one) => messageIn(together, one)),
        ),
      ).toEqual(outcomes);
      const stateOf = async (groupId: GroupId) =>
        Promise.all(
          users.map(async (userId) => {
            const view = await readOwnView(tidemark, { groupId, userId });
            const { self, public: shown, delivered } = view?.membership ?? {};
            const positions = [self?.revision, self?.position, shown?.position, delivered?.position];
            return { positions, head: view?.head, unread: view?.unread };
          }),
        );
      const expected = await stateOf(alone);
      expect(await stateOf(together)).toEqual(expected);
      await forget(tidemark.redis, together);
      expect(await stateOf(together)).toEqual(expected);
    },
  );
  await fc.assert(property, { numRuns: 25 });
});
