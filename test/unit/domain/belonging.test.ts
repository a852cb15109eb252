import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  applyDeparture,
  applyEpoch,
  applyJoining,
  type Belonging,
  NO_BELONGING,
} from '../../../shared/domain/belonging.ts';
import { at } from '../../support/positions.ts';

const T = 1_700_000_000_000;

/** A joining after a message, or a departure. Times are milliseconds after T. */
type Event = { readonly time: number; readonly after: number | null };

/** No two joinings at the same time, since they have no order. At most ten, which are all kept. */
const events: fc.Arbitrary<Event[]> = fc
  .record({
    joinings: fc.uniqueArray(fc.record({ time: fc.nat(12), after: fc.integer({ min: 1, max: 9 }) }), {
      selector: ({ time }) => time,
      maxLength: 7,
    }),
    departures: fc.array(fc.record({ time: fc.nat(12), after: fc.constant(null) }), { maxLength: 4 }),
  })
  .map(({ joinings, departures }) => [...joinings, ...departures]);

const apply = (known: Belonging, { time, after }: Event) =>
  after === null
    ? applyDeparture(known, T + time)
    : applyJoining(known, { at: T + time, joinedAfter: at(after), receivedAt: T + 100 });

const seenIn = ({ state }: Belonging) =>
  state?.kind === 'member' ? { after: state.joinedAfter, revision: state.self.revision } : null;

/**
 * The start of the member if all arrive in order, and whether there was a membership before. At
 * equal times a departure wins.
 */
function inOrder(all: readonly Event[]) {
  let after: number | null = null;
  let wasMember = false;
  for (const event of all.toSorted(
    (a, b) => a.time - b.time || Number(a.after === null) - Number(b.after === null),
  )) {
    if (event.after === null) {
      wasMember ||= after !== null;
      after = null;
    } else {
      after ??= event.after;
    }
  }
  return after === null ? null : { after: at(after), isLater: wasMember };
}

/** All events in any order, some of them twice. */
const histories = events.chain((all) =>
  fc.record({
    all: fc.constant(all),
    order: fc.shuffledSubarray(all, { minLength: all.length }),
    more: fc.shuffledSubarray(all),
  }),
);

test('joinings and departures lead to the same state in any order and with repetitions', () => {
  fc.assert(
    fc.property(histories, ({ all, order, more }) => {
      const seen = seenIn([...order, ...more].reduce(apply, NO_BELONGING));
      const first = seenIn(all.toSorted((a, b) => a.time - b.time).reduce(apply, NO_BELONGING));
      expect(seen && { after: seen.after, isLater: seen.revision > 0 }).toEqual(inOrder(all));
      expect(seen?.revision).toBe(first?.revision);
    }),
    { numRuns: 1_000 },
  );
});

test('the deletion of a group is a departure of everybody, whenever it becomes known', () => {
  const deletions = fc.record({ epoch: fc.nat(12), known: fc.nat(20) });
  fc.assert(
    fc.property(histories, deletions, ({ all, order, more }, { epoch, known }) => {
      const arrived = [...order, ...more];
      const afterwards = (belonging: Belonging, event: Event) =>
        event.time <= epoch ? belonging : apply(applyEpoch(belonging, T + epoch), event);
      const before = arrived.slice(0, known).reduce(apply, NO_BELONGING);
      const state = applyEpoch(arrived.slice(known).reduce(afterwards, before), T + epoch);
      const seen = seenIn(state);
      expect(seen?.after ?? null).toEqual(inOrder([...all, { time: epoch, after: null }])?.after ?? null);
      if (seen) expect(seen.revision).toBeGreaterThanOrEqual(T + epoch);
      expect(applyEpoch(state, T + epoch)).toBe(state);
    }),
    { numRuns: 2_000 },
  );
});

test('a membership of a deleted group starts in a revision that is not below the epoch, even if nothing is left of earlier ones', () => {
  const joined = apply(applyEpoch(NO_BELONGING, T), { time: 1, after: 3 });
  expect(joined.state).toMatchObject({ kind: 'member', generation: T + 1, firstRevision: T });
});

test('a group that was never deleted changes nothing', () => {
  expect(applyEpoch(NO_BELONGING, 0)).toBe(NO_BELONGING);
});
