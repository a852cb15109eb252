import fc from 'fast-check';
import { deletionAtOnce, sameMessageAtOnce, severalAtOnce } from './at-once.ts';
import {
  A_BOT,
  ALL_GROUPS,
  aGroupOfSome,
  aMarkOfAll,
  anAttributes,
  anEntry,
  anIfRevision,
  aPatch,
  aRecord,
  aRecordedId,
  aSettings,
  aStart,
  aTurn,
  by,
  GROUPS,
  GROUPS_OF_FACTS,
  group,
  groupOrOneOfFacts,
  ID_SETS,
  maybe,
  picks,
  SENDERS,
  type Setting,
  USERS,
  user,
  WATCHER,
} from './choices.ts';
import { MISTAKES } from './mistakes.ts';
import type { History, Operation, Step } from './operations.ts';
import { exportOf, inboxOf } from './plain-operations.ts';
import { aScene, type Focus } from './scenes.ts';
import { aTimeline } from './timelines.ts';

/**
 * An operation. In a group of facts, only facts let users join, leave or send, and it is not deleted. All else may be about
 * `anyGroup`.
 */
function anOperation(setting: Setting, anyGroup: fc.Arbitrary<string>): fc.Arbitrary<Operation> {
  const { ids, withFacts, withReminders } = setting;
  const messageId = fc.constantFrom(...ids);
  const recorded = aRecordedId(ids);
  const messageIds = fc.array(messageId, { minLength: 1, maxLength: 5 });
  const kind = <K extends Operation['kind']>(name: K) => fc.constant(name);
  const limit = maybe(fc.constantFrom(1, 2, 3, 100, 500));
  const ofUser = { groupId: anyGroup, userId: user, by };

  const erasures = [
    { weight: 2, arbitrary: user.map(exportOf) },
    { weight: 1, arbitrary: fc.record({ kind: kind('erase user'), userId: user }) },
  ];

  return fc.oneof(
    {
      weight: 7,
      arbitrary: fc.record({
        kind: kind('join'),
        groupId: group,
        userId: user,
        joinedAfter: aStart(ids),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: kind('leave'), groupId: group, userId: user }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('add members'),
        groupId: aGroupOfSome,
        userIds: fc.uniqueArray(user, { minLength: 1 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: kind('list members'), groupId: anyGroup, limit }) },
    { weight: 8, arbitrary: aRecord(setting, fc.constantFrom(...SENDERS)) },
    // The time does not matter for a sender who is never a member.
    {
      weight: 1,
      arbitrary: aRecord(setting, fc.constant(A_BOT), fc.constant('2026-01-31T12:00:00.000Z')),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('record several'),
        messages: fc.array(
          fc.record({
            groupId: group,
            messageId: recorded,
            senderId: fc.constantFrom(...SENDERS),
            attributes: anAttributes(setting),
          }),
          { minLength: 1, maxLength: 5 },
        ),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: kind('delete'), groupId: anyGroup, messageId: recorded }) },
    { weight: 5, arbitrary: fc.record({ kind: kind('get watermark'), ...ofUser }) },
    {
      weight: 11,
      arbitrary: fc.record({
        kind: kind('mark'),
        ...ofUser,
        messageId,
        isPrivate: maybe(fc.boolean()),
        ifRevision: anIfRevision,
      }),
    },
    { weight: 5, arbitrary: fc.record({ kind: kind('mark unread'), ...ofUser, messageId }) },
    { weight: 4, arbitrary: fc.record({ kind: kind('mark delivered'), ...ofUser, messageId }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: kind('mark several'),
        userId: user,
        marks: fc.array(anEntry(anyGroup, messageId), { minLength: 1, maxLength: 6 }),
        by,
      }),
    },
    { weight: 2, arbitrary: aMarkOfAll },
    { weight: 3, arbitrary: fc.record({ kind: kind('get status'), ...ofUser, messageIds }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('inbox'),
        userId: user,
        unreadOnly: maybe(fc.boolean()),
        limit: maybe(fc.constantFrom(1, 2, 200)),
        parentId: maybe(fc.constantFrom(...GROUPS)),
        archived: maybe(fc.boolean()),
        among: fc.constant(ALL_GROUPS),
        by,
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: kind('get badge'), userId: user, by }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: kind('count badges'), userIds: fc.uniqueArray(user, { minLength: 1 }) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: kind('list receipts'),
        ...ofUser,
        messageId: recorded,
        state: maybe(fc.constantFrom('read' as const, 'unread', 'delivered')),
        limit,
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: kind('count receipts'), ...ofUser, messageIds }) },
    { weight: 1, arbitrary: fc.record({ kind: kind('get preferences'), ...ofUser }) },
    { weight: 4, arbitrary: fc.record({ kind: kind('set preferences'), ...ofUser, patch: aPatch }) },
    { weight: 1, arbitrary: fc.record({ kind: kind('get group'), groupId: anyGroup }) },
    {
      weight: 1,
      arbitrary: fc
        .record({ groupId: anyGroup, settings: aSettings })
        .map(({ groupId, settings }) => ({ kind: 'set group' as const, groupId, ...settings })),
    },
    { weight: 1, arbitrary: fc.record({ kind: kind('delete group'), groupId: group }) },
    ...(withFacts ? [] : erasures),
    ...(withReminders ? [{ weight: 3, arbitrary: aTurn }] : []),
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('send malformed'),
        groupId: group,
        userId: user,
        mistake: fc.constantFrom(...MISTAKES),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: kind('flush') }) },
    { weight: 3, arbitrary: fc.record({ kind: kind('evict'), groupId: anyGroup, picks }) },
  );
}

export interface HistoriesOptions {
  readonly maxSteps: number;
  /** Whether histories have groups of facts. By default some histories do. */
  readonly withFacts?: boolean | undefined;
  /** Most steps are about this. If it is reminders, erasures or exports, `withFacts` must be false. */
  readonly focus?: Focus | undefined;
  /** Whether some operations run at the same time. @default true */
  readonly isParallel?: boolean | undefined;
}

function historyOf(
  setting: Setting,
  { maxSteps, focus, isParallel = true }: HistoriesOptions,
): fc.Arbitrary<History> {
  const { withFacts } = setting;
  const anyGroup = withFacts ? groupOrOneOfFacts : group;
  const alone = anOperation(setting, anyGroup).map((operation): readonly Step[] => [[operation]]);
  const oneStep = (step: fc.Arbitrary<Step>) => step.map((operations): readonly Step[] => [operations]);
  const parallel = [
    { weight: 12, arbitrary: oneStep(severalAtOnce(anOperation(setting, anyGroup), anyGroup)) },
    { weight: 2, arbitrary: oneStep(sameMessageAtOnce(setting)) },
    { weight: 1, arbitrary: oneStep(deletionAtOnce(anOperation(setting, group), aGroupOfSome)) },
  ];
  const steps = fc.oneof(
    { weight: 32, arbitrary: alone },
    ...(isParallel ? parallel : []),
    { weight: 4, arbitrary: aScene(setting) },
    ...(focus === undefined ? [] : [{ weight: 30, arbitrary: aScene(setting, focus) }]),
  );
  return fc
    .record({
      first: withFacts ? fc.constant([]) : firstSteps(setting),
      steps: fc.array(steps, { minLength: 1, maxLength: maxSteps, size: 'max' }),
      timelines: withFacts
        ? fc.tuple(...GROUPS_OF_FACTS.map((groupId) => aTimeline(groupId, setting)))
        : fc.constant([]),
      gaps: fc.array(fc.nat({ max: 12 }), { minLength: 6, maxLength: 6 }),
    })
    .map(({ first, steps, timelines, gaps }) => [
      ...first,
      ...interleaved(steps.flat(), timelines, gaps),
      ...finalReads(setting),
    ]);
}

/** Users that join, and first messages: without these most answers would be empty. */
function firstSteps(setting: Setting): fc.Arbitrary<History> {
  const joinTogether = (groupId: fc.Arbitrary<string>) =>
    fc.record({
      kind: fc.constant('add members' as const),
      groupId,
      userIds: fc.uniqueArray(fc.constantFrom(...USERS), { minLength: 4 }),
    });
  const record = aRecord(setting, fc.constantFrom(...SENDERS));
  return fc
    .tuple(
      joinTogether(fc.constant(GROUPS[0])),
      fc.array(fc.oneof(joinTogether(aGroupOfSome), record), { maxLength: 6, size: 'max' }),
    )
    .map(([join, others]) => [join, ...others].map((operation): Step => [operation]));
}

/** Mixes the rounds of each timeline, in their order, with the other steps. */
function interleaved(
  steps: readonly Step[],
  timelines: readonly (readonly Operation[])[],
  gaps: readonly number[],
): History {
  const history = [...steps];
  for (const [index, timeline] of timelines.entries()) {
    let at = 0;
    for (const [round, operation] of timeline.entries()) {
      history.splice(at, 0, [operation]);
      at += 1 + (gaps[(index + 2 * round) % gaps.length] ?? 0);
    }
  }
  return history;
}

/** Random histories. */
export function histories(options: HistoriesOptions): fc.Arbitrary<History> {
  const withReminders = options.focus === 'reminders';
  const ofKind = (withFacts: boolean) =>
    fc.oneof(...ID_SETS.map((ids) => historyOf({ ids, withFacts, withReminders }, options)));
  if (options.withFacts !== undefined) return ofKind(options.withFacts);
  return fc.oneof({ weight: 4, arbitrary: ofKind(false) }, { weight: 1, arbitrary: ofKind(true) });
}

/** Reads everything at the end, to find mistakes that no earlier answer showed. */
function finalReads({ ids, withFacts, withReminders }: Setting): History {
  const messageIds = ids.slice(0, -3);
  const someUsers = USERS.slice(0, 3);
  const readers = [
    ...GROUPS.map((groupId) => ({ groupId, userId: USERS[0] })),
    ...(withFacts ? GROUPS_OF_FACTS.map((groupId) => ({ groupId, userId: WATCHER })) : []),
  ];
  const reads: Operation[] = [
    ...readers.map(({ groupId }): Operation => ({ kind: 'list members', groupId, limit: undefined })),
    ...readers.map((there): Operation => ({ kind: 'count receipts', ...there, messageIds, by: 'user' })),
    ...USERS.map((userId) => inboxOf(userId, undefined)),
    ...someUsers.map((userId) => inboxOf(userId, true)),
    ...(withFacts ? [] : someUsers.map(exportOf)),
    ...(withReminders ? [{ kind: 'turn clock', advanceSeconds: 1_800, among: ALL_GROUPS } as const] : []),
    { kind: 'count badges', userIds: USERS },
  ];
  return reads.map((operation) => [operation]);
}
