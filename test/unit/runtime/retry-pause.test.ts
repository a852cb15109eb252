import { expect, test } from '@jest/globals';
import { retryPauseSeconds } from '../../../functions/runtime/retry-pause.ts';

const pauses = (random: number) =>
  Array.from({ length: 32 }, (_, index) => retryPauseSeconds(index + 1, random));

test('pauses double from 10 s to an hour', () => {
  expect(pauses(0.5)).toEqual([
    ...[10, 20, 40, 80, 160, 320, 640, 1280, 2560],
    ...[3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600],
    ...[3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600],
  ]);
});

test('the pauses of all receives that the queues allow last a day: 24.4 hours, 22 to 27 with the jitter', () => {
  const total = (random: number) => pauses(random).reduce((sum, pause) => sum + pause, 0);
  expect([total(0.5), total(0), total(1)]).toEqual([87_910, 79_119, 96_701]);
});

test('pauses differ by up to a tenth, so that events that failed together are not tried together', () => {
  expect([retryPauseSeconds(12, 0), retryPauseSeconds(12, 0.5), retryPauseSeconds(12, 1)]).toEqual([
    3240, 3600, 3960,
  ]);
});

test('for every count of receives the pause is positive and within the 12 hours that SQS allows', () => {
  expect([0, -1, 1_000, 1e9].map((count) => retryPauseSeconds(count, 1))).toEqual([11, 11, 3960, 3960]);
});
