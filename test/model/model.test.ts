import { randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { faultsOfCache, startRunningStack } from '../support/running-stack.ts';
import { manyGroups, manyMessages } from './large-histories.ts';
import type { History } from './operations.ts';
import { type Stage, serviceOf } from './perform.ts';
import { Disagreement, play } from './play.ts';
import { RULES, type Rules } from './rules.ts';
import { disagreementIn, firstDisagreement, shortestDisagreement } from './search.ts';
import { simulatedService } from './simulated-service.ts';
import { WRONG_MODELS } from './wrong-models.ts';

const isCI = process.env.CI !== undefined;
/** Each lane plays one history at a time, with its own users and groups. */
const LANES = 8;
/** The operations that are compared, and the histories that they are in. */
const PLAYED = [
  {
    name: 'one at a time',
    operations: isCI ? 10_000 : 2_000,
    lanes: LANES,
    options: { maxSteps: 50, isParallel: false },
  },
  {
    name: 'some at the same time',
    operations: isCI ? 10_000 : 2_000,
    lanes: LANES,
    options: { maxSteps: 50 },
  },
  {
    name: 'with reminders',
    operations: isCI ? 2_000 : 300,
    // They turn the clock of the stack for all.
    lanes: 1,
    options: { maxSteps: 20, withFacts: false, focus: 'reminders' },
  },
] as const;
const HISTORIES_OF_A_SEED = 25;
const MAX_ATTEMPTS = 5;
/** The first seed. The others of a run follow it. */
const SEED = Number(process.env.TIDEMARK_MODEL_SEED ?? randomInt(2 ** 31));
/** How long facts may take to arrive. */
const FACTS_WITHIN_MS = 20_000;
/** How often a wrong model is searched for, each time with other histories on a simulated service. */
const MAX_ROUNDS = 10;

let stage: Stage & { stop(): Promise<void> };
beforeAll(async () => {
  console.info(`TIDEMARK_MODEL_SEED=${SEED}`);
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
/** The ledger answers where the cache fails, and would hide its fault. */
afterEach(() => expect(faultsOfCache(stage.stack)).toEqual([]));
afterAll(() => stage?.stop());

/**
 * If the cache did not answer in time, a merge is lost, and answers are not promised until the stream has merged it
 * again: such a history is played again. So is one in which the service was unavailable. On a busy machine this happens
 * sometimes.
 */
async function playOnCache(history: History, rules: Rules, factsWithinMs: number): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const failures = stage.stack.cacheFailures().length;
    try {
      return await play(serviceOf(stage), history, rules, factsWithinMs);
    } catch (error) {
      const isBusy =
        error instanceof Disagreement &&
        (error.isUnavailable || stage.stack.cacheFailures().length > failures);
      if (!isBusy || attempt === MAX_ATTEMPTS) throw error;
      console.info('a store did not answer in time: a history is played again');
    }
  }
}

test.each(PLAYED)(
  'the model and the service give the same answers to $operations operations, $name',
  async ({ operations, lanes, options }) => {
    let compared = 0;
    let hasFailed = false;
    const played = Array.from({ length: lanes }, async (_, lane) => {
      for (let round = lane; compared < operations && !hasFailed; round += lanes) {
        const seed = SEED + round;
        const found = await firstDisagreement(
          async (history) => {
            if (compared >= operations || hasFailed) return;
            const inHistory = await playOnCache(history, RULES, FACTS_WITHIN_MS);
            // Not in one expression with the call: the sum would be from before it, without what other lanes have added.
            compared += inHistory;
          },
          { ...options, seed, maxHistories: HISTORIES_OF_A_SEED },
        );
        if (found === null) continue;
        // The others stop, so that nothing disturbs the search for a shorter history.
        hasFailed = true;
        const { message } = await shortestDisagreement(
          found,
          (shorter) => play(serviceOf(stage), shorter, RULES, FACTS_WITHIN_MS),
          { attempts: 3, forMs: 60_000 },
        );
        return `TIDEMARK_MODEL_SEED=${seed} finds, after ${compared} operations,\n${message}`;
      }
      return '';
    });
    const reports = (await Promise.all(played)).filter((report) => report !== '');
    if (reports.length > 0) throw new Error(reports.join('\n\n'));
    expect(compared).toBeGreaterThanOrEqual(operations);
    console.info(`${compared} operations agreed`);
  },
  60 * 60_000,
);

const LARGE = [
  { name: 'many unread messages', history: manyMessages(500) },
  { name: 'many groups', history: manyGroups },
  ...(isCI ? [{ name: 'more messages than the cache keeps', history: manyMessages(5_000) }] : []),
];

test.each(LARGE)(
  'the model and the service give the same answers in a history with $name',
  async ({ history: large }) => {
    const [history = []] = fc.sample(large, { numRuns: 1, seed: SEED });
    await playOnCache(history, RULES, 0);
  },
  10 * 60_000,
);

/**
 * A history that shows the wrong rule is found on a service that follows the model, which plays thousands of histories in
 * the time of one on the stack, and is played on the stack when it is short.
 */
test.each(WRONG_MODELS)(
  'a wrong model is detected, with a report of a few lines, if it %s',
  async (_name, { rules, withFacts, focus }) => {
    let report = '';
    for (let round = 0; round < MAX_ROUNDS && report === ''; round += 1) {
      const choices = { appliesLater: false, revisionStep: 1 + (round % 2) };
      const simulated = (history: History) => play(simulatedService(choices), history, rules, 0);
      const options = { maxHistories: 3_000, maxSteps: 30, withFacts, focus, isParallel: false };
      const found = await firstDisagreement(simulated, { ...options, seed: SEED + round });
      if (found === null) continue;
      const { history } = await shortestDisagreement(found, simulated, { attempts: 1, forMs: 30_000 });
      expect(history.flat().length).toBeLessThanOrEqual(10);
      await playOnCache(history, RULES, FACTS_WITHIN_MS);
      const onStack = (again: History) => play(serviceOf(stage), again, rules, 1_000);
      // Where the contract leaves a choice, the stack may choose differently: then the next round tries another history.
      report = (await disagreementIn(onStack, history))?.message ?? '';
    }
    expect(report).toMatch(/\d\. .+ → .+\n.*expected:\n/);
  },
);
