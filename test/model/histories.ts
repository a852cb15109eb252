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
  exportOf,
  GROUPS,
  GROUPS_OF_FACTS,
  group,
  groupOrOneOfFacts,
  ID_SETS,
  inboxOf,
  maybe,
  picks,
  SENDERS,
  type Setting,
  USERS,
  user,
  WATCHER,
} from './choices.ts';
import type { Feature, Features } from './features.ts';
import { MISTAKES } from './mistakes.ts';
import type { History, Operation, Step } from './operations.ts';
import { aScene, type Focus } from './scenes.ts';
import { aTimeline } from './timelines.ts';

/** Reads and marks may be about `anyGroup`. Only facts change the members and messages of a group of facts. */
function anOperation(setting: Setting, anyGroup: fc.Arbitrary<string>): fc.Arbitrary<Operation> {
  const { ids, features } = setting;
  const messageId = fc.constantFrom(...ids);
  const recorded = aRecordedId(ids);
  const messageIds = fc.array(messageId, { minLength: 1, maxLength: 5 });
  const kind = <K extends Operation['kind']>(name: K) => fc.constant(name);
  const limit = maybe(fc.constantFrom(1, 2, 3, 100, 500));
  const isPrivate = maybe(fc.boolean());
  const ofUser = { groupId: anyGroup, userId: user, by };

  const ifPlayed = <T>(feature: Feature, ...operations: T[]) => (features.has(feature) ? operations : []);

  const hasFilters = features.has('inbox filters');

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
    { weight: 5, arbitrary: fc.record({ kind: kind('get watermark'), ...ofUser }) },
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
    { weight: 3, arbitrary: fc.record({ kind: kind('delete'), groupId: anyGroup, messageId: recorded }) },
    {
      weight: 11,
      arbitrary: fc.record({
        kind: kind('mark'),
        ...ofUser,
        messageId,
        isPrivate,
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
    { weight: 3, arbitrary: fc.record({ kind: kind('get status'), ...ofUser, messageIds }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('inbox'),
        userId: user,
        unreadOnly: maybe(fc.boolean()),
        limit: maybe(fc.constantFrom(1, 2, 200)),
        parentId: hasFilters ? maybe(fc.constantFrom(...GROUPS)) : fc.constant(undefined),
        archived: hasFilters ? maybe(fc.boolean()) : fc.constant(undefined),
        among: fc.constant(ALL_GROUPS),
        by,
      }),
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
    {
      weight: 4,
      arbitrary: fc.record({ kind: kind('count receipts'), ...ofUser, messageIds }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('send malformed'),
        groupId: group,
        userId: user,
        mistake: fc.constantFrom(
          ...MISTAKES.filter(({ feature }) => feature === undefined || features.has(feature)),
        ),
      }),
    },
    ...ifPlayed('messages in bulk', {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('record several'),
        messages: fc.array(
          fc.record({
            groupId: group,
            messageId: recorded,
            senderId: fc.constantFrom(...SENDERS),
            attributes: anAttributes(features),
          }),
          { minLength: 1, maxLength: 5 },
        ),
      }),
    }),
    ...ifPlayed(
      'preferences',
      { weight: 1, arbitrary: fc.record({ kind: kind('get preferences'), ...ofUser }) },
      { weight: 4, arbitrary: fc.record({ kind: kind('set preferences'), ...ofUser, patch: aPatch }) },
    ),
    ...ifPlayed(
      'group settings',
      { weight: 1, arbitrary: fc.record({ kind: kind('get group'), groupId: anyGroup }) },
      {
        weight: 1,
        arbitrary: fc
          .record({ groupId: anyGroup, settings: aSettings })
          .map(({ groupId, settings }) => ({ kind: 'set group' as const, groupId, ...settings })),
      },
    ),
    ...ifPlayed('group deletion', {
      weight: 1,
      arbitrary: fc.record({ kind: kind('delete group'), groupId: group }),
    }),
    ...ifPlayed('reminders', { weight: 3, arbitrary: aTurn }),
    ...ifPlayed('export', { weight: 2, arbitrary: user.map(exportOf) }),
    ...ifPlayed('user erasure', {
      weight: 1,
      arbitrary: fc.record({ kind: kind('erase user'), userId: user }),
    }),
    ...ifPlayed(
      'badge',
      { weight: 1, arbitrary: fc.record({ kind: kind('get badge'), userId: user, by }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: kind('count badges'), userIds: fc.uniqueArray(user, { minLength: 1 }) }),
      },
    ),
    ...ifPlayed('mark all', { weight: 2, arbitrary: aMarkOfAll }),
    { weight: 1, arbitrary: fc.record({ kind: kind('flush') }) },
    { weight: 3, arbitrary: fc.record({ kind: kind('evict'), groupId: anyGroup, picks }) },
  );
}

export interface HistoriesOptions {
  readonly maxSteps: number;
  /** Whether histories have groups of facts. By default some histories do. */
  readonly withFacts?: boolean | undefined;
  readonly features: Features;
  /** Most steps are about this. */
  readonly focus?: Focus | undefined;
  /** Whether some operations run at the same time. @default true */
  readonly isParallel?: boolean | undefined;
}

/**
 * The features of histories with facts. A repeated fact makes an erased user a member again, and the contract does not say
 * where such a member starts: so nobody is erased. Exports are read only if each user joined by a route: only then the
 * times of joinings are known.
 */
const besideFacts = (setting: Setting): Setting => ({
  ...setting,
  features: new Set(
    [...setting.features].filter((feature) => feature !== 'user erasure' && feature !== 'export'),
  ),
});

const withReminders = (setting: Setting): Setting => ({
  ...setting,
  features: new Set([...setting.features, 'reminders']),
});

function historyOf(
  given: Setting,
  { maxSteps, withFacts, focus, isParallel = true }: HistoriesOptions & { withFacts: boolean },
): fc.Arbitrary<History> {
  const timed = focus === 'reminders' ? withReminders(given) : given;
  const setting = withFacts ? besideFacts(given) : timed;
  const anyGroup = withFacts ? groupOrOneOfFacts : group;
  const alone = anOperation(setting, anyGroup).map((operation): readonly Step[] => [[operation]]);
  const deletionStep = deletionAtOnce(anOperation(setting, group), aGroupOfSome).map((step) => [step]);
  const parallel = [
    { weight: 12, arbitrary: severalAtOnce(anOperation(setting, anyGroup), anyGroup).map((step) => [step]) },
    { weight: 2, arbitrary: sameMessageAtOnce(setting).map((step) => [step]) },
    ...(setting.features.has('group deletion') ? [{ weight: 1, arbitrary: deletionStep }] : []),
  ];
  const steps = fc.oneof(
    { weight: 32, arbitrary: alone },
    ...(isParallel ? parallel : []),
    { weight: 4, arbitrary: aScene(setting) },
    ...(focus === undefined ? [] : [{ weight: 30, arbitrary: aScene(setting, focus) }]),
  );
  // Without members and messages most answers would be empty.
  const joinTogether = (groupId: fc.Arbitrary<string>) =>
    fc.record({
      kind: fc.constant('add members' as const),
      groupId,
      userIds: fc.uniqueArray(fc.constantFrom(...USERS), { minLength: 4 }),
    });
  const record = aRecord(setting, fc.constantFrom(...SENDERS));
  const first = fc
    .tuple(
      joinTogether(fc.constant(GROUPS[0])),
      fc.array(fc.oneof(joinTogether(aGroupOfSome), record), { maxLength: 6, size: 'max' }),
    )
    .map(([join, others]) => [join, ...others].map((operation): Step => [operation]));
  const timelines = fc.tuple(...GROUPS_OF_FACTS.map((groupId) => aTimeline(groupId, setting)));
  return fc
    .record({
      first,
      steps: fc.array(steps, { minLength: 1, maxLength: maxSteps, size: 'max' }),
      timelines: withFacts ? timelines : fc.constant([]),
      gaps: fc.array(fc.nat({ max: 12 }), { minLength: 6, maxLength: 6 }),
    })
    .map(({ first, steps, timelines, gaps }) => [
      ...(withFacts ? [] : first),
      ...interleaved(steps.flat(), timelines, gaps),
      ...finalReads(setting, withFacts),
    ]);
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

/** Random histories. If one fails, simpler ones are tried. */
export function histories(options: HistoriesOptions): fc.Arbitrary<History> {
  const { withFacts, features } = options;
  const ofKind = (isWith: boolean) =>
    fc.oneof(...ID_SETS.map((ids) => historyOf({ ids, features }, { ...options, withFacts: isWith })));
  if (withFacts !== undefined) return ofKind(withFacts);
  return fc.oneof({ weight: 4, arbitrary: ofKind(false) }, { weight: 1, arbitrary: ofKind(true) });
}

/** Reads everything at the end, to find mistakes that no earlier answer showed. */
function finalReads({ ids, features }: Setting, withFacts: boolean): History {
  const messageIds = ids.slice(0, -3);
  const withArchived = features.has('inbox filters') ? USERS.slice(0, 3) : [];
  const readers = [
    ...GROUPS.map((groupId) => ({ groupId, userId: USERS[0] as string })),
    ...(withFacts ? GROUPS_OF_FACTS.map((groupId) => ({ groupId, userId: WATCHER })) : []),
  ];
  return [
    ...readers.map(({ groupId }): Step => [{ kind: 'list members', groupId, limit: undefined }]),
    ...readers.map((there): Step => [{ kind: 'count receipts', ...there, messageIds, by: 'user' }]),
    ...USERS.map((userId): Step => [inboxOf(userId, undefined)]),
    ...withArchived.map((userId): Step => [inboxOf(userId, true)]),
    ...(features.has('export') ? USERS.slice(0, 3).map((userId): Step => [exportOf(userId)]) : []),
    ...(features.has('reminders')
      ? [[{ kind: 'turn clock', advanceSeconds: 1_800, among: ALL_GROUPS }] satisfies Step]
      : []),
    ...(features.has('badge') ? [[{ kind: 'count badges', userIds: USERS }] satisfies Step] : []),
  ];
}
