import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { member } from '../../shared/cache/changes.ts';
import type { Belonging } from '../../shared/domain/belonging.ts';
import { type MembershipState, merge } from '../../shared/domain/membership.ts';
import { NO_PREFERENCES } from '../../shared/domain/preferences.ts';
import { copy } from '../support/memberships.ts';
import { aGroup, aUser, withTidemark } from '../support/tidemark.ts';

const tidemark = withTidemark();

/** A holder of a membership: it merges copies one after the other and returns its state after each. */
type Holder = () => (copy: MembershipState) => Promise<MembershipState | null>;

const inMemory: Holder = () => {
  let state: MembershipState | null = null;
  return async (next) => {
    state = state ? merge(state, next) : next;
    return state;
  };
};

const inCache: Holder = () => {
  const [groupId, userId] = [aGroup(), aUser()];
  return async (state) => {
    const view = await tidemark.cache.mergeFor({ groupId, userId }, [member(userId, state)]);
    return view?.state ?? null;
  };
};

const inCacheWithOthers: Holder = () => {
  const [groupId, userId] = [aGroup(), aUser()];
  const others = [aGroup(), aGroup()];
  return async (state) => {
    await tidemark.cache.mergeMember(
      userId,
      [...others, groupId].map((id) => ({ groupId: id, state })),
    );
    const view = await tidemark.cache.read({ groupId, userId });
    return view?.state ?? null;
  };
};

const inLedger: Holder = () => {
  const [groupId, userId] = [aGroup(), aUser()];
  return async (next) => {
    const { memberships } = tidemark.ledger;
    const merged = (current: MembershipState | null) => (current ? merge(current, next) : next);
    const known = await memberships.readBelonging({ groupId, userId });
    const result = merged(known.state);
    const isMove =
      known.state?.kind === 'member' &&
      result.kind === 'member' &&
      result.generation === known.state.generation &&
      result.preferences.revision === known.state.preferences.revision;
    if (isMove) {
      await memberships.change({ groupId, userId }, merged, known.state);
    } else {
      const begin = (known: Belonging) => ({ ...known, state: merged(known.state) });
      await memberships.changeBelonging({ groupId, userId }, begin, Date.now());
    }
    return memberships.read({ groupId, userId });
  };
};

async function final(holder: Holder, copies: readonly MembershipState[]): Promise<MembershipState | null> {
  const take = holder();
  let state: MembershipState | null = null;
  for (const next of copies) state = await take(next);
  return state;
}

const holders: [string, Holder, number][] = [
  ['TypeScript', inMemory, 2_000],
  ['Lua', inCache, 150],
  ['Lua, for several groups', inCacheWithOthers, 100],
  ["the ledger's conditions", inLedger, 60],
];

describe.each(holders)('the merge of registers in %s', (_name, holder, numRuns) => {
  const check = (property: fc.IAsyncProperty<unknown>) =>
    fc.assert(property as fc.IAsyncProperty<[unknown]>, { numRuns });

  test('is commutative', () =>
    check(
      fc.asyncProperty(copy, copy, async (a, b) => {
        expect(await final(holder, [a, b])).toEqual(await final(holder, [b, a]));
      }),
    ));

  test('is associative: any order of any number of copies gives the same result', () =>
    check(
      fc.asyncProperty(
        fc
          .array(copy, { minLength: 3, maxLength: 5 })
          .chain((copies) =>
            fc.tuple(fc.constant(copies), fc.shuffledSubarray(copies, { minLength: copies.length })),
          ),
        async ([copies, shuffled]) => {
          expect(await final(holder, shuffled)).toEqual(await final(holder, copies));
        },
      ),
    ));

  test('is idempotent: merging the same copy again changes nothing', () =>
    check(
      fc.asyncProperty(copy, copy, async (a, b) => {
        expect(await final(holder, [a, b, a, b, b])).toEqual(await final(holder, [a, b]));
      }),
    ));

  test('is monotonic: no register goes back within a generation, and no generation goes back', () =>
    check(
      fc.asyncProperty(fc.array(copy, { minLength: 2, maxLength: 5 }), async (copies) => {
        const take = holder();
        let before: MembershipState | null = null;
        for (const next of copies) {
          const after = await take(next);
          if (!after) throw new Error('a merge left nothing');
          if (before) expectNotBack(before, after);
          before = after;
        }
      }),
    ));

  test('holds the larger of each register', async () => {
    const member = (
      self: [number, string],
      shown: string,
      delivered: string,
      revision: number,
    ): MembershipState => ({
      kind: 'member',
      generation: 1_700_000_000_000,
      joinedAfter: position('1'),
      firstRevision: 0,
      self: { revision: self[0], position: position(self[1]), at: 7 },
      public: { position: position(shown), at: 7 },
      delivered: { position: position(delivered), at: 7 },
      preferences: { ...NO_PREFERENCES, revision, at: 1_700_000_000_000 + revision, mutedUntil: revision },
    });
    const merged = await final(holder, [
      member([2, '5'], '9007199254740993', '10', 10),
      member([1, '18446744073709551615'], '9007199254740992', '18446744073709551615', 9),
    ]);
    expect(merged).toEqual(member([2, '5'], '9007199254740993', '18446744073709551615', 10));
  });
});

function expectNotBack(before: MembershipState, after: MembershipState): void {
  expect(after.generation).toBeGreaterThanOrEqual(before.generation);
  if (after.generation !== before.generation || after.kind === 'departed') return;
  if (before.kind === 'departed') throw new Error('a departure was undone within its generation');
  expect(after.public.position >= before.public.position).toBe(true);
  expect(after.delivered.position >= before.delivered.position).toBe(true);
  expect(after.preferences.revision).toBeGreaterThanOrEqual(before.preferences.revision);
  const revisions = [before.self.revision, after.self.revision] as const;
  expect(revisions[1]).toBeGreaterThanOrEqual(revisions[0]);
  if (revisions[0] === revisions[1]) expect(after.self.position >= before.self.position).toBe(true);
}

function position(id: string) {
  return id.padStart(20, '0') as Extract<MembershipState, { kind: 'member' }>['joinedAfter'];
}
