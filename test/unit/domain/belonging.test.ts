import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  applyDeparture,
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
