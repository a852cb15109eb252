import fc from 'fast-check';
import { anAttributes, aRecordedId, aStart, SENDERS, type Setting, user } from './choices.ts';
import type { Fact } from './model.ts';
import { factsOf, type Operation, type TimelineFact } from './operations.ts';

const ROUNDS = 3;
const TICKS_OF_A_ROUND = 10;

/**
 * The facts of a group, a round at a time. Within a round facts come in any order and may repeat; each round is
 * later than those before. A message has one sender and one time; if another sender uses its id in a later
 * round, that fact is ignored.
 */
export function aTimeline(groupId: string, setting: Setting): fc.Arbitrary<readonly Operation[]> {
  const { ids } = setting;
  const tick = fc.nat({ max: TICKS_OF_A_ROUND - 1 });
  const fact = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('joined' as const),
        userId: user,
        at: tick,
        joinedAfter: aStart(ids),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('left' as const), userId: user, at: tick }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('sent' as const),
        messageId: aRecordedId(ids),
        senderId: fc.constantFrom(...SENDERS),
        at: tick,
        attributes: anAttributes(setting),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('deleted' as const), messageId: aRecordedId(ids) }),
    },
  );
  const round = fc.record({
    facts: fc.array(fact, { minLength: 3, maxLength: 9, size: 'max' }),
    order: fc.array(fc.nat({ max: 999 }), { minLength: 16, maxLength: 16 }),
    repeats: fc.array(fc.nat({ max: 999 }), { maxLength: 5, size: 'max' }),
  });
  return fc.array(round, { minLength: 2, maxLength: ROUNDS }).map((rounds) => {
    const before: TimelineFact[] = [];
    return rounds.map(({ facts, order, repeats }, number) => {
      const timed = facts.map((one): TimelineFact => {
        const at = 'at' in one ? one.at + number * TICKS_OF_A_ROUND : 0;
        return { ...one, ...('at' in one && { at }), round: number };
      });
      const own = [...new Map(timed.map((one) => [subjectOf(one), one])).values()];
      const known = [...before, ...own];
      const again = repeats.map((index) => known[index % known.length]).filter((one) => one !== undefined);
      before.push(...own);
      const shuffled = [...own, ...again]
        .map((one, index) => ({ one, rank: order[index] ?? 0 }))
        .toSorted((a, b) => a.rank - b.rank);
      return factsOf(
        groupId,
        shuffled.map(({ one }) => one),
      );
    });
  });
}

/** What a fact is about. A round has one fact about each. */
function subjectOf(fact: Fact): string {
  if (fact.kind === 'sent' || fact.kind === 'deleted') return `${fact.kind} ${fact.messageId}`;
  return `${fact.kind} ${fact.userId} ${fact.at}`;
}
