import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type RunningRedis, startRedis } from '../../local/engines/redis.ts';
import { startUpstashRest } from '../../local/engines/upstash-rest.ts';
import type { Listening } from '../../local/http/loopback.ts';
import * as change from '../../shared/cache/changes.ts';
import { type Head, mergeHeads } from '../../shared/domain/head.ts';
import type { GroupId } from '../../shared/domain/ids.ts';
import { engines } from '../support/engines.ts';
import { AT_START, headAt, headCopy } from '../support/heads.ts';
import { at } from '../support/positions.ts';
import { aGroup, aUser, type CountedTidemark, openTidemark } from '../support/tidemark.ts';

const TOKEN = 'a-token';

const required = process.env.TIDEMARK_REQUIRE_REDIS_SERVER === '1';
const redisKinds =
  required || engines.redisEngine === 'redis-server'
    ? (['redis-server', 'embedded'] as const)
    : (['embedded'] as const);

/** Merges copies one after the other, and returns the head after each. */
type MergeAll = (copies: readonly Head[]) => Promise<Head[]>;

async function inMemory([first, ...others]: readonly Head[]): Promise<Head[]> {
  if (!first) throw new Error('there is nothing to merge');
  const heads = [first];
  for (const other of others) heads.push(mergeHeads(heads.at(-1) ?? first, other));
  return heads;
}

describe('the merge of heads in TypeScript', () => {
  keepsTheLaw(() => inMemory, 2_000);
});

describe.each(redisKinds)('the merge of heads in Lua, on %s', (kind) => {
  let redis: RunningRedis;
  let rest: Listening;
  let tidemark: CountedTidemark;
  beforeAll(async () => {
    redis = await startRedis({ preferred: kind });
    rest = await startUpstashRest({ redisUrl: redis.url, token: TOKEN });
    tidemark = await openTidemark({
      engine: { redisUrl: redis.url, upstashUrl: rest.url, upstashToken: TOKEN },
    });
  });
  afterAll(async () => {
    await tidemark.close();
    await rest.close();
    await redis.stop();
  });

  keepsTheLaw(
    () => async (copies) => {
      const [groupId, userId] = [aGroup(), aUser()];
      const heads: Head[] = [];
      for (const copy of copies) {
        const view = await tidemark.cache.mergeFor({ groupId, userId }, [change.head(copy)]);
        if (!view?.head) throw new Error('the cache holds no head');
        heads.push(view.head);
      }
      return heads;
    },
    100,
  );
});

function keepsTheLaw(mergeAllOf: () => MergeAll, numRuns: number): void {
  const final = async (copies: readonly Head[]) => (await mergeAllOf()(copies)).at(-1);
  const check = (property: fc.IAsyncProperty<unknown>) =>
    fc.assert(property as fc.IAsyncProperty<[unknown]>, { numRuns });

  test('is commutative', () =>
    check(
      fc.asyncProperty(headCopy, headCopy, async (a, b) => {
        expect(await final([a, b])).toEqual(await final([b, a]));
      }),
    ));

  test('is associative: any order of any number of copies gives the same result', () =>
    check(
      fc.asyncProperty(
        fc
          .array(headCopy, { minLength: 3, maxLength: 5 })
          .chain((copies) =>
            fc.tuple(fc.constant(copies), fc.shuffledSubarray(copies, { minLength: copies.length })),
          ),
        async ([copies, shuffled]) => {
          expect(await final(shuffled)).toEqual(await final(copies));
        },
      ),
    ));

  test('is idempotent: merging the same copy again changes nothing', () =>
    check(
      fc.asyncProperty(headCopy, headCopy, async (a, b) => {
        expect(await final([a, b, a, b, b])).toEqual(await final([a, b]));
      }),
    ));

  test('is monotonic: the epoch does not go back, and within one epoch neither a position nor the revision', () =>
    check(
      fc.asyncProperty(fc.array(headCopy, { minLength: 2, maxLength: 5 }), async (copies) => {
        const heads = await mergeAllOf()(copies);
        for (const [index, after] of heads.slice(1).entries()) {
          const before = heads[index] as Head;
          expect(after.epoch).toBeGreaterThanOrEqual(before.epoch);
          if (after.epoch > before.epoch) continue;
          expect(after.position >= before.position).toBe(true);
          expect(after.loud >= before.loud).toBe(true);
          expect(after.settings.revision).toBeGreaterThanOrEqual(before.settings.revision);
        }
      }),
    ));

  test('holds the larger of each, compared exactly', async () => {
    const parentId = 'parent' as GroupId;
    const merged = await final([
      {
        epoch: 7,
        position: at('18446744073709551615'),
        loud: at('9007199254740992'),
        settings: { revision: 9, parentId: null, receipts: 'off' },
      },
      {
        epoch: 7,
        position: at('9007199254740993'),
        loud: at('9007199254740993'),
        settings: { revision: 10, parentId, receipts: 'sender' },
      },
    ]);
    expect(merged).toEqual({
      epoch: 7,
      position: at('18446744073709551615'),
      loud: at('9007199254740993'),
      settings: { revision: 10, parentId, receipts: 'sender' },
    });
  });

  test('takes all of the copy with the larger epoch', async () => {
    const settings = { revision: 9, parentId: 'parent' as GroupId, receipts: 'off' } as const;
    const before = { epoch: 35, position: at('18446744073709551615'), loud: at(7), settings };
    // 36 has more digits in base 36 than 35.
    expect(await final([before, { ...headAt(1), epoch: 36 }])).toEqual({ ...headAt(1), epoch: 36 });
    expect(
      await final([
        { ...headAt(5), epoch: 0 },
        { ...AT_START, epoch: 1 },
      ]),
    ).toEqual({
      ...AT_START,
      epoch: 1,
    });
  });
}
