import { expect, test } from '@jest/globals';
import { InstanceSlots, type SlotUser } from '../../../local/aws/lambda/instance-slots.ts';
import { instancesFor } from '../../../local/aws/lambda/lambda.ts';

const NOW_MS = 10_000;

interface FakeFunction extends SlotUser {
  size: number;
  ended: number;
  offers: number;
}

function aFunction(slots: InstanceSlots, size: number, idleForMs: number | null): FakeFunction {
  const user: FakeFunction = {
    size: 0,
    ended: 0,
    offers: 0,
    get idleSince() {
      return idleForMs === null || user.ended > 0 ? null : NOW_MS - idleForMs;
    },
    endIdle: () => {
      user.ended += 1;
    },
    slotIsFree: () => {
      user.offers += 1;
    },
  };
  slots.add(user);
  while (user.size < size) {
    expect(slots.take(user)).toBe(true);
    user.size += 1;
  }
  return user;
}

const slotsOf = (max: number) => new InstanceSlots(max, () => NOW_MS);

test('for a function without an instance, the longest idle instance ends, however short it was idle', () => {
  const slots = slotsOf(2);
  const [short, shorter] = [aFunction(slots, 1, 5), aFunction(slots, 1, 1)];
  expect(slots.take(aFunction(slots, 0, null))).toBe(false);
  expect([short.ended, shorter.ended]).toEqual([1, 0]);
});

test('for a function with instances, only instances that were idle for a second end', () => {
  const slots = slotsOf(3);
  const other = aFunction(slots, 1, 999);
  const busy = aFunction(slots, 2, null);
  expect(slots.take(busy)).toBe(false);
  expect(other.ended).toBe(0);

  const later = slotsOf(3);
  const longIdle = aFunction(later, 1, 1_000);
  expect(later.take(aFunction(later, 2, null))).toBe(false);
  expect(longIdle.ended).toBe(1);
});

test('waiting functions are offered a slot in order, once for each wait', () => {
  const slots = slotsOf(1);
  aFunction(slots, 1, null);
  const [first, second] = [aFunction(slots, 0, null), aFunction(slots, 0, null)];
  for (const user of [first, second, first]) expect(slots.take(user)).toBe(false);
  slots.free();
  // Neither took the slot, so the next one got the offer.
  expect([first.offers, second.offers]).toEqual([1, 1]);
});

test('at most as many instances end as functions wait', () => {
  const slots = slotsOf(3);
  const idle = [3_000, 2_000, 1_000].map((idleForMs) => aFunction(slots, 1, idleForMs));
  const waiting = aFunction(slots, 0, null);
  for (let times = 0; times < 3; times += 1) expect(slots.take(waiting)).toBe(false);
  expect(idle.map(({ ended }) => ended)).toEqual([1, 0, 0]);
});

test('a busy function ends an instance for one without any; functions with several do so first', () => {
  const slots = slotsOf(3);
  const [one, several] = [aFunction(slots, 1, null), aFunction(slots, 2, null)];
  expect(slots.mustYield(several)).toBe(false);
  expect(slots.take(aFunction(slots, 0, null))).toBe(false);
  expect(slots.mustYield(one)).toBe(false);
  expect(slots.mustYield(several)).toBe(true);
  // One ended instance is enough for one waiting function.
  expect(slots.mustYield(several)).toBe(false);
});

test('if each function has only one instance, any of them ends', () => {
  const slots = slotsOf(2);
  const [one] = [aFunction(slots, 1, null), aFunction(slots, 1, null)];
  expect(slots.take(aFunction(slots, 0, null))).toBe(false);
  expect(slots.mustYield(one)).toBe(true);
});

test.each([
  [2, 32],
  [8, 40],
  [16, 81],
  [64, 128],
])('on a machine with %i GiB all functions together get at most %i instances', (gib, instances) => {
  expect(instancesFor(gib * 2 ** 30)).toBe(instances);
});
