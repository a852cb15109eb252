import fc from 'fast-check';
import {
  type Attributes,
  MAX_ID as MAX,
  NO_ATTRIBUTES,
  type PreferencesPatch,
  type ReceiptsPolicy,
} from './model.ts';
import type { Caller, Evicted, IfRevision, Operation } from './operations.ts';

// Text order is not the order of numbers, nor that of dictionaries.
export const GROUPS = ['g9', 'g10', 'G|2'] as const;
export const GROUP_WITHOUT_MEMBERS = 'nobodys';
/** Groups that change only by facts on the bus. */
export const GROUPS_OF_FACTS = ['f|1', 'f*$'] as const;
/** Groups with few recorded messages. */
export const QUIET_GROUP = 'quiet';
/** Groups that change by routes. */
export const GROUPS_OF_ROUTES = [...GROUPS, GROUP_WITHOUT_MEMBERS, QUIET_GROUP];
export const ALL_GROUPS = [...GROUPS_OF_ROUTES, ...GROUPS_OF_FACTS];
export const USERS = ['ann', 'ann|b', 'cem', '*dot', '$eve', 'fay'] as const;
export const A_BOT = 'a-bot';
export const SENDERS = [...USERS, A_BOT];
/** The member that joins each group of facts first, and reads the receipts. */
export const WATCHER = 'watcher';

const TWO_53 = 2n ** 53n;
const PREFERENCES = ['notify', 'mutedUntil', 'hideReceipts', 'archive'] as const;

/** What all operations of a history choose from. */
export interface Setting {
  readonly ids: readonly bigint[];
  /**
   * Whether it has groups of facts. Then nobody is erased and nothing is exported. A repeated fact makes an erased user a
   * member again, and the contract does not say where such a member starts. An export has the times of joinings, which are
   * known only for a call of a route.
   */
  readonly withFacts: boolean;
  /** Whether messages have reminders. To send them, the clock of the whole stack is turned: no other history may run then. */
  readonly withReminders: boolean;
}

/** The ids of one history: the first are simple, the last are often beyond the head. */
export const ID_SETS: readonly (readonly bigint[])[] = [
  [1n, 2n, 3n, 4n, 6n, 9n, 10n, 11n, 15n, 99n, 100n, MAX],
  [5n, 9n, 10n, 20n, 100n, 101n, 1000n, TWO_53 - 1n, TWO_53, TWO_53 + 1n, MAX - 1n, MAX],
  [TWO_53 - 1n, TWO_53, TWO_53 + 1n, TWO_53 + 2n, TWO_53 + 3n, TWO_53 + 5n, 1n, 2n ** 63n, MAX],
  [MAX - 7n, MAX - 6n, MAX - 5n, MAX - 4n, MAX - 3n, MAX - 2n, 2n ** 63n, 7n, MAX - 1n, MAX],
];

// Most steps are about a few users in one group, so that they interact.
export const user = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...USERS.slice(0, 3)) },
  { weight: 2, arbitrary: fc.constantFrom(...USERS) },
);
export const aGroupOfSome = fc.oneof(
  { weight: 3, arbitrary: fc.constant(GROUPS[0]) },
  { weight: 2, arbitrary: fc.constantFrom(...GROUPS) },
);
export const group = fc.oneof(
  { weight: 24, arbitrary: aGroupOfSome },
  { weight: 1, arbitrary: fc.constant(GROUP_WITHOUT_MEMBERS) },
);
/** If a history has groups of facts, most steps are about these. */
export const groupOrOneOfFacts = fc.oneof(
  { weight: 2, arbitrary: group },
  { weight: 5, arbitrary: fc.constantFrom(...GROUPS_OF_FACTS) },
);
export const by = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Caller>('user') },
  { weight: 1, arbitrary: fc.constant<Caller>('service') },
);
export const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

/** The first ids are recorded most often, so that many reads find them. The last are rare, so that the head stays below. */
export const aRecordedId = (ids: readonly bigint[]) =>
  fc.oneof(
    { weight: 14, arbitrary: fc.constantFrom(...ids.slice(0, 4)) },
    { weight: 9, arbitrary: fc.constantFrom(...ids.slice(0, -3)) },
    { weight: 1, arbitrary: fc.constantFrom(...ids) },
  );

/** Operations that only in this order show something. */
export type Scene = fc.Arbitrary<readonly Operation[]>;

/** Who and what a scene is about. The first message is below the second in half of all scenes. */
export const rolesOf = ({ ids }: Setting) => ({
  groupId: fc.constantFrom(...GROUPS),
  userId: user,
  first: aRecordedId(ids),
  second: fc.constantFrom(...ids.slice(1, -2)),
});

export const picks = fc.array(fc.constantFrom<Evicted>('nothing', 'key', 'fields'), {
  minLength: 1,
  maxLength: 6,
});

export const anIfRevision = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 2,
    arbitrary: fc.oneof(fc.nat({ max: 2 }), fc.constantFrom<IfRevision>('current', 'former')),
  },
);

export function anEntry(groupId: fc.Arbitrary<string>, messageId: fc.Arbitrary<bigint>) {
  const there = { groupId, messageId };
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        ...there,
        isPrivate: maybe(fc.boolean()),
        ifRevision: anIfRevision,
        isDelivered: maybe(fc.constant(false)),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        ...there,
        isPrivate: maybe(fc.constant(false)),
        ifRevision: fc.constant(undefined),
        isDelivered: fc.constant(true),
      }),
    },
  );
}

/** The start of a member, if a back end gives it. */
export const aStart = (ids: readonly bigint[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...ids.filter((id) => id !== MAX)) },
  );

/** Times of reminders, in seconds. */
const REMINDERS = [600, 1_200, 3_600, 604_800];
/** The shortest of them. */
const FIRST_REMINDER = 600;

/**
 * Turns the clock so far that some of the reminders are due. The times are minutes apart: a history takes less, and the
 * schedule of the stack plays each minute.
 */
export const aTurn = fc.record({
  kind: fc.constant('turn clock' as const),
  advanceSeconds: fc.constantFrom(120, 900, 900, 1_800),
  among: fc.constant(ALL_GROUPS),
});

/** A message with a reminder, and when it was sent. If it was sent earlier, its reminder is one of the first. */
export const aReminder = fc
  .record({ remindAfterSeconds: fc.constantFrom(...REMINDERS.slice(0, -1)), isSentEarlier: fc.boolean() })
  .map(({ remindAfterSeconds, isSentEarlier }) => {
    const sentSecondsAgo = remindAfterSeconds - FIRST_REMINDER;
    return { remindAfterSeconds, sentAt: isSentEarlier && sentSecondsAgo > 0 ? sentSecondsAgo : undefined };
  });

/** What a back end says of a message. Most say nothing. */
export function anAttributes({ withReminders }: Setting): fc.Arbitrary<Attributes> {
  const none = fc.constant(NO_ATTRIBUTES);
  const some = fc.record({
    silent: maybe(fc.boolean()),
    mentions: fc.option(
      fc.oneof(
        fc.constant<'all'>('all'),
        fc.uniqueArray(fc.constantFrom(...SENDERS), { minLength: 1, maxLength: 3 }),
      ),
      { nil: undefined },
    ),
    advanceSender: maybe(fc.boolean()),
    remindAfterSeconds: withReminders
      ? fc.option(fc.constantFrom(...REMINDERS), { nil: undefined, freq: 3 })
      : fc.constant(undefined),
  });
  return fc.oneof({ weight: 2, arbitrary: none }, { weight: 3, arbitrary: some });
}

/** Times that are over, and times that no test reaches. */
const MUTED_UNTIL = ['2020-02-29T00:00:00.000Z', '2999-12-31T23:59:59.999Z', '2500-01-01T00:00:00.000Z'];

/** Most calls set one or two preferences. */
export const aPatch: fc.Arbitrary<PreferencesPatch> = fc
  .record({
    notify: fc.constantFrom('all', 'mentions', 'none'),
    mutedUntil: fc.constantFrom(null, ...MUTED_UNTIL),
    hideReceipts: fc.boolean(),
    archive: fc.constantFrom('no', 'untilNew', 'always'),
    names: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...PREFERENCES).map((name) => [name]) },
      { weight: 1, arbitrary: fc.uniqueArray(fc.constantFrom(...PREFERENCES), { minLength: 2 }) },
    ),
  } as const)
  .map(({ names, ...values }) => ({
    notify: names.includes('notify') ? values.notify : undefined,
    mutedUntil: names.includes('mutedUntil') ? values.mutedUntil : undefined,
    hideReceipts: names.includes('hideReceipts') ? values.hideReceipts : undefined,
    archive: names.includes('archive') ? values.archive : undefined,
  }));

/** Settings of a group, at least one. */
export const aSettings = fc
  .record({
    parentId: fc.constantFrom(null, ...GROUPS, ...GROUPS, GROUP_WITHOUT_MEMBERS),
    receipts: fc.constantFrom<ReceiptsPolicy>('members', 'members', 'sender', 'off'),
    given: fc.constantFrom('parentId', 'receipts', 'both'),
  })
  .map(({ parentId, receipts, given }) => ({
    parentId: given === 'receipts' ? undefined : parentId,
    receipts: given === 'parentId' ? undefined : receipts,
  }));

/** A call that marks all groups of a user. */
export const aMarkOfAll = fc.record({
  kind: fc.constant('mark all' as const),
  userId: user,
  parentId: maybe(fc.constantFrom(...GROUPS)),
  unmutedOnly: maybe(fc.boolean()),
  among: fc.constant(ALL_GROUPS),
  by,
});

export const aRecord = (
  setting: Setting,
  senderId: fc.Arbitrary<string>,
  sentAt: fc.Arbitrary<string | undefined> = fc.constant(undefined),
) =>
  fc
    .record({
      kind: fc.constant('record' as const),
      groupId: group,
      messageId: aRecordedId(setting.ids),
      senderId,
      sentAt,
      attributes: anAttributes(setting),
    })
    // The reminder of a message sent so long ago would come at any time within the next minute.
    .map(({ attributes, ...sent }) => ({
      ...sent,
      attributes: sent.sentAt === undefined ? attributes : { ...attributes, remindAfterSeconds: undefined },
    }));
