import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { startRunningStack } from '../support/running-stack.ts';
import { ALL_FEATURES } from './features.ts';
import { type HistoriesOptions, histories } from './histories.ts';
import {
  FEATURES_OF_MANY_GROUPS,
  FEATURES_OF_MANY_MESSAGES,
  manyGroups,
  manyMessages,
} from './large-histories.ts';
import { RULES, type Rules } from './model.ts';
import type { History } from './operations.ts';
import { type Stage, serviceOf } from './perform.ts';
import { Disagreement, play } from './play.ts';
import { shorten } from './shorten.ts';
import { WRONG_MODELS } from './wrong-models.ts';

const OPERATIONS = process.env.CI === undefined ? 2_000 : 8_000;
/** The number of histories that are played in parallel, each with its own users and groups. */
const LANES = 8;
const HISTORIES_OF_A_SEED = 25;
const MAX_ATTEMPTS = 5;
/** The first seed. The others of a run follow it. */
const SEED = Number(process.env.TIDEMARK_MODEL_SEED ?? randomInt(2 ** 31));

/** Always the same, so that each wrong model is detected early. */
const SEED_OF_WRONG_MODELS = 99;

let stage: Stage & { stop(): Promise<void> };
beforeAll(async () => {
  const stack = await startRunningStack();
  const redis = new Redis(stack.description.redis.url);
  stage = {
    stack,
    emptyCache: async (prefix) => {
      const keys = await redis.keys(`tm:{${prefix}*`);
      if (keys.length > 0) await redis.unlink(keys);
    },
    evict: async (groupId, picks) => {
      const keys = (await redis.keys('tm:{*')).filter((key) => key.startsWith(`tm:{${groupId}}`)).sort();
      await Promise.all(
        keys.map(async (key, index) => {
          const pick = picks[index % picks.length];
          if (pick === 'key') await redis.unlink(key);
          if (pick !== 'fields' || (await redis.type(key)) !== 'hash') return;
          // With any field, the state of the whole hash goes too, as after a lost key that is partly filled again.
          const fields = (await redis.hkeys(key))
            .sort()
            .filter((field, at) => field.startsWith('#') || at % 2 === index % 2);
          if (fields.length > 0) await redis.hdel(key, ...fields);
        }),
      );
    },
    applied: (eventIds) => stack.factsApplied(eventIds),
    stop: async () => {
      redis.disconnect();
      await stack.stop();
    },
  };
});
afterAll(() => stage?.stop());

interface Search extends Omit<HistoriesOptions, 'features'> {
  readonly rules: Rules;
  readonly seed: number;
  readonly maxHistories: number;
  /** How long facts may take to arrive. */
  readonly factsWithinMs: number;
  /** How long shorter histories are tried after a failure. */
  readonly shortenForMs: number;
  /** If the order of parallel operations matters, a shorter history fails only sometimes. */
  readonly attempts: number;
  onPlayed(operations: number): void;
  onFailed(): void;
  isEnough(): boolean;
}

/**
 * If the cache did not answer in time, a merge is lost, and answers are not promised until the stream has merged it
 * again: such a history is played again. So is one in which the service was unavailable. On a busy machine this happens
 * sometimes.
 */
async function playOnCache(
  history: History,
  { rules, factsWithinMs }: Pick<Search, 'rules' | 'factsWithinMs'>,
): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const failures = stage.stack.cacheFailures();
    try {
      return await play(serviceOf(stage), history, rules, factsWithinMs);
    } catch (error) {
      const isBusy =
        error instanceof Disagreement && (error.isUnavailable || stage.stack.cacheFailures() > failures);
      if (!isBusy || attempt === MAX_ATTEMPTS) throw error;
      console.info('a store did not answer in time: a history is played again');
    }
  }
}

/** Plays random histories until one disagrees, and returns the shortest history found that still disagrees. */
async function search(given: Search): Promise<Disagreement | null> {
  const property = fc.asyncProperty(histories({ ...given, features: ALL_FEATURES }), async (history) => {
    if (!given.isEnough()) given.onPlayed(await playOnCache(history, given));
  });
  // fast-check only makes the histories. It would shorten them more slowly: it does not use that the steps after a
  // failure can be left out.
  const { errorInstance } = await fc.check(property, {
    seed: given.seed,
    numRuns: given.maxHistories,
    endOnFailure: true,
  });
  if (errorInstance === null) return null;
  given.onFailed();
  if (!(errorInstance instanceof Disagreement)) throw errorInstance;
  let found = errorInstance;
  const until = performance.now() + given.shortenForMs;
  await shorten(
    found.history,
    async (shorter) => {
      for (let attempt = 0; attempt < given.attempts; attempt += 1) {
        try {
          await play(serviceOf(stage), shorter, given.rules, given.factsWithinMs);
        } catch (error) {
          if (!(error instanceof Disagreement)) throw error;
          found = error;
          return true;
        }
      }
      return false;
    },
    () => performance.now() > until,
  );
  return found;
}

test(
  `the model and the service give the same answers to ${OPERATIONS} operations`,
  async () => {
    console.info(`TIDEMARK_MODEL_SEED=${SEED}`);
    let compared = 0;
    let hasFailed = false;
    const lanes = Array.from({ length: LANES }, async (_, lane) => {
      for (let round = lane; compared < OPERATIONS && !hasFailed; round += LANES) {
        const seed = SEED + round;
        const finding = await search({
          rules: { ...RULES, features: ALL_FEATURES },
          seed,
          maxHistories: HISTORIES_OF_A_SEED,
          maxSteps: 50,
          factsWithinMs: 20_000,
          shortenForMs: 60_000,
          attempts: 3,
          onPlayed: (operations) => {
            compared += operations;
          },
          // The others stop, so that nothing disturbs the search for a shorter history.
          onFailed: () => {
            hasFailed = true;
          },
          isEnough: () => compared >= OPERATIONS || hasFailed,
        });
        if (finding !== null) return `TIDEMARK_MODEL_SEED=${seed} finds\n${finding.message}`;
      }
      return '';
    });
    const reports = (await Promise.all(lanes)).filter((report) => report !== '');
    if (reports.length > 0) throw new Error(reports.join('\n\n'));
    expect(compared).toBeGreaterThanOrEqual(OPERATIONS);
    console.info(`${compared} operations agreed`);
  },
  60 * 60_000,
);

const LARGE = [
  { name: 'many unread messages', history: manyMessages(500), features: FEATURES_OF_MANY_MESSAGES },
  { name: 'many groups', history: manyGroups, features: FEATURES_OF_MANY_GROUPS },
  ...(process.env.CI === undefined
    ? []
    : [
        {
          name: 'more messages than the cache keeps',
          history: manyMessages(5_000),
          features: FEATURES_OF_MANY_MESSAGES,
        },
      ]),
].filter(({ features }) => features.every((feature) => ALL_FEATURES.has(feature)));

test.each(LARGE)(
  'the model and the service give the same answers in a history with $name',
  async ({ history: large }) => {
    console.info(`TIDEMARK_MODEL_SEED=${SEED}`);
    const [history = []] = fc.sample(large, { numRuns: 1, seed: SEED });
    await playOnCache(history, { rules: { ...RULES, features: ALL_FEATURES }, factsWithinMs: 0 });
  },
  10 * 60_000,
);

describe('a wrong model is detected, with a report of a few lines, if it', () => {
  const played = WRONG_MODELS.filter(([, { feature }]) => feature === undefined || ALL_FEATURES.has(feature));
  test.each(played)(
    '%s',
    async (_name, { rules, withFacts, focus }) => {
      let agreed = 0;
      const finding = await search({
        rules: { ...rules, features: ALL_FEATURES },
        seed: SEED_OF_WRONG_MODELS,
        maxHistories: 100,
        maxSteps: 30,
        withFacts,
        focus,
        factsWithinMs: 1_000,
        shortenForMs: 150_000,
        attempts: 1,
        onPlayed: (operations) => {
          agreed += operations;
        },
        onFailed: () => undefined,
        isEnough: () => agreed > 600,
      });
      expect(finding?.message).toMatch(/\d\. .+ → .+\n.*expected:\n/);
      expect(finding?.history.flat().length).toBeLessThanOrEqual(10);
    },
    10 * 60_000,
  );
});
