import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as change from '../../shared/cache/changes.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import {
  advance,
  deliver,
  joinAt,
  type Membership,
  type MembershipState,
  merge,
  retreat,
} from '../../shared/domain/membership.ts';
import type { Position } from '../../shared/domain/position.ts';
import { countsOf } from '../support/receipt-counts.ts';
import { aGroup, withTidemark } from '../support/tidemark.ts';

const tidemark = withTidemark();

const T = 1_700_000_000_000;
const IDS = ['1', '5', '9', '9007199254740992', '9007199254740993', '18446744073709551615'];
const position = (id: string) => id.padStart(20, '0') as Position;
const POSITIONS = IDS.map(position);
const USERS = ['a', 'b', 'c', 'd', 'e'] as UserId[];

const anyPosition = fc.constantFrom(...POSITIONS);

/** States that the ledger may hold: a join and the moves after it. */
const state: fc.Arbitrary<MembershipState> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('departed' as const), generation: fc.constantFrom(T, T + 1) }),
  },
  {
    weight: 6,
    arbitrary: fc
      .record({
        generation: fc.constantFrom(T, T + 1),
        joinedAfter: fc.constantFrom(position('0'), ...POSITIONS.slice(0, 2)),
        moves: fc.array(fc.tuple(fc.constantFrom(advance, deliver, retreat), anyPosition), { maxLength: 3 }),
      })
      .map(({ generation, joinedAfter, moves }) =>
        moves.reduce<Membership>(
          (membership, [move, to]) => move(membership, to, T),
          joinAt(joinedAfter, generation),
        ),
      ),
  },
);

type Step =
  | {
      readonly step: 'merge';
      readonly kind: 'member' | 'knownMember';
      readonly userId: UserId;
      readonly state: MembershipState;
    }
  | { readonly step: 'doubt'; readonly userId: UserId }
  | { readonly step: 'claim' | 'load' | 'lose-members' | 'lose-receipts' };

const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      step: fc.constant('merge' as const),
      kind: fc.constantFrom('member' as const, 'knownMember' as const),
      userId: fc.constantFrom(...USERS),
      state,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ step: fc.constant('doubt' as const), userId: fc.constantFrom(...USERS) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constantFrom(...(['claim', 'load', 'load', 'lose-members', 'lose-receipts'] as const)),
    }),
  },
);

/** What the ledger holds: the merge of all its states so far. */
type Ledger = Map<UserId, MembershipState>;

/** Counts one by one, by the rule: current members who joined before the message, without the sender. */
function plainly(ledger: Ledger, message: Position, sender: UserId): number[] {
  const concerned = [...ledger].filter(
    ([userId, held]) => held.kind === 'member' && held.joinedAfter < message && userId !== sender,
  ) as [UserId, Membership][];
  return [
    concerned.length,
    concerned.filter(([, held]) => held.public.position >= message).length,
    concerned.filter(([, held]) => held.delivered.position >= message).length,
  ];
}

test('the index of a group counts the registers of its members, whatever was merged and lost before', async () => {
  let indexed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { minLength: 1, maxLength: 25 }), async (steps) => {
      const groupId = aGroup();
      const ledger: Ledger = new Map();
      const mergeAll = (changes: readonly change.Change[]) => tidemark.cache.merge(groupId, changes);
      /** The token of a load that has begun. */
      let token: string | null = null;
      for (const [index, step] of steps.entries()) {
        if (step.step === 'merge') {
          const { kind, userId } = step;
          const known = ledger.get(userId);
          const held = known ? merge(known, step.state) : step.state;
          ledger.set(userId, held);
          // A late record has an earlier state of the ledger, or the current one.
          const record =
            kind === 'member' ? change.member(userId, held) : change.knownMember(userId, step.state);
          const reply = await tidemark.cache.mergeFromStream(groupId, [record], null);
          // Members whom the index lacks are read from the ledger.
          for (const unknown of reply?.unknownMembers ?? []) {
            const state = ledger.get(unknown);
            if (state) await mergeAll([change.member(unknown, state)]);
          }
          // In the end the stream merges everything.
          if (kind === 'knownMember') await mergeAll([change.knownMember(userId, held)]);
        } else if (step.step === 'doubt') {
          await tidemark.cache.doubt({ groupId, userId: step.userId }, `doubt-${index}`);
        } else if (step.step === 'lose-members') {
          await tidemark.redis.del(`tm:{${groupId}}:members`);
        } else if (step.step === 'lose-receipts') {
          await tidemark.redis.del(`tm:{${groupId}}:receipts`);
        } else {
          const claim = await tidemark.cache.receipts.claim(groupId, `t${index}`, T + index, T + index);
          if (claim?.outcome === 'claimed') token = claim.token;
          if (step.step === 'load' && token && claim?.outcome === 'claimed') {
            const members = [...ledger].filter(([, held]) => held.kind === 'member');
            await mergeAll([...change.members(members), change.indexed(token)]);
          }
        }
        const sender = USERS[index % USERS.length] as UserId;
        const counted = await tidemark.cache.receipts.count(
          { groupId, userId: 'a' as UserId },
          POSITIONS.map((message) => ({ position: message, senderId: sender })),
        );
        if (!counted) throw new Error('the cache did not answer');
        // Without an index there is no answer; with one, the answer is right.
        if (!counted.receipts) continue;
        indexed += 1;
        expect(countsOf(counted.receipts)).toEqual(
          POSITIONS.map((message) => plainly(ledger, message, sender)),
        );
      }
      // A load of everything in the ledger always completes an index.
      const claim = await tidemark.cache.receipts.claim(groupId, 'last', T + 100, T + 100);
      if (claim?.outcome === 'claimed') {
        await mergeAll([...change.members(ledger), change.indexed(claim.token)]);
      }
      const counted = await tidemark.cache.receipts.count({ groupId, userId: 'a' as UserId }, [
        { position: position('5'), senderId: 'a' as UserId },
      ]);
      expect(countsOf(counted?.receipts)).toEqual([plainly(ledger, position('5'), 'a' as UserId)]);
    }),
    { numRuns: 150 },
  );
  expect(indexed).toBeGreaterThan(150);
});
