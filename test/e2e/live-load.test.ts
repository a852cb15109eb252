import { expect, test } from '@jest/globals';
import { freshPrefix } from '../support/engines.ts';
import { runLoad } from '../support/live-load.ts';
import { withStack } from '../support/running-stack.ts';

const stack = withStack();

test('30 connected members of a group of 60 read on at once: every count and badge is right, in few frames', async () => {
  const plan = {
    groupId: freshPrefix('load'),
    ...{ members: 60, connections: 30, senders: 3, messages: 60, marks: 150, marksASecond: null },
  };
  const wsUrl = stack.description.wsUrl ?? '';
  const { asService, asUser, userToken } = stack;
  // Throws if a device ends with another state.
  const { frames } = await runLoad({ asService, asUser, userToken, wsUrl }, plan, 150_000);
  // Each reader has got its badge, and each sender its counts.
  expect(frames.view).toBeGreaterThanOrEqual(27);
  expect(frames.receipts).toBeGreaterThanOrEqual(3);
  // A tenth of marks × members. A frame to every member for every mark would be 9,000.
  expect(frames.view + frames.receipts).toBeLessThan(900);
});
