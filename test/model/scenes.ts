import fc from 'fast-check';
import { A_BOT, aRecordedId, GROUPS, maybe, QUIET_GROUP, type Setting, user } from './choices.ts';
import type { Feature } from './features.ts';
import { MAX_ID as MAX, NO_ATTRIBUTES } from './model.ts';
import type { IfRevision, Operation, Step } from './operations.ts';
import { scenesOf } from './scenes-of-features.ts';

/** What most scenes of a history can be about. */
export type Focus = Feature | 'overtaking';

/** Sequences of steps that are too rare in random histories; with `focus`, only those about it. */
export function aScene({ ids, features }: Setting, focus?: Focus): fc.Arbitrary<readonly Step[]> {
  const roles = {
    groupId: fc.constantFrom(...GROUPS),
    userId: user,
    first: aRecordedId(ids),
    second: fc.constantFrom(...ids.slice(1, -2)),
  };
  const options = {
    isPrivate: maybe(fc.boolean()),
    ifRevision: fc.constantFrom<IfRevision | undefined>('former', 'former', 'current', 0, 1),
  };
  const plain = { isPrivate: undefined, ifRevision: undefined } as const;
  const sent = { kind: 'record', senderId: A_BOT, sentAt: undefined, attributes: NO_ATTRIBUTES } as const;
  const byUser = { by: 'user' } as const;
  /** A member that joins again and marks with an earlier revision. */
  const rejoining = fc
    .record({ ...roles, ...options, inBatch: fc.boolean() })
    .map(({ first, second, isPrivate, ifRevision, inBatch, ...there }): Operation[] => {
      const late = { ...there, messageId: second, isPrivate, ifRevision };
      return [
        { kind: 'join', ...there, joinedAfter: undefined },
        { ...sent, groupId: there.groupId, messageId: first },
        { kind: 'mark', ...there, ...plain, ...byUser, messageId: first },
        { kind: 'mark unread', ...there, ...byUser, messageId: first },
        { kind: 'leave', ...there },
        { kind: 'join', ...there, joinedAfter: undefined },
        { ...sent, groupId: there.groupId, messageId: second },
        inBatch
          ? {
              kind: 'mark several',
              userId: there.userId,
              ...byUser,
              marks: [{ ...late, isDelivered: undefined }],
            }
          : { kind: 'mark', ...late, ...byUser },
        { kind: 'get watermark', ...there, ...byUser },
      ];
    });
  /** A mark before its message, and steps that may come in between. */
  const overtaking = fc
    .record({
      ...roles,
      // These are rarely recorded otherwise, so the head is below them.
      second: fc.constantFrom(...ids.slice(-5, -1)),
      isPrivate: options.isPrivate,
      between: fc.constantFrom('nothing', 'unread', 'rejoining', 'another mark'),
    })
    .map(({ first, second, isPrivate, between, ...there }): Operation[] => {
      const events: Record<typeof between, Operation[]> = {
        nothing: [],
        unread: [{ kind: 'mark unread', ...there, ...byUser, messageId: first }],
        rejoining: [
          { kind: 'leave', ...there },
          { kind: 'join', ...there, joinedAfter: undefined },
        ],
        'another mark': [{ kind: 'mark', ...there, ...plain, ...byUser, messageId: second }],
      };
      return [
        { kind: 'join', ...there, joinedAfter: undefined },
        { ...sent, groupId: there.groupId, messageId: first },
        { kind: 'mark', ...there, ...plain, ...byUser, isPrivate, messageId: second },
        ...events[between],
        { ...sent, groupId: there.groupId, messageId: second },
        { kind: 'get watermark', ...there, ...byUser },
      ];
    });
  /** Own messages are read, also above the own view. */
  const ownMessages = fc
    .record({ ...roles, isDeleted: fc.boolean() })
    .map(({ first, second, isDeleted, ...there }): Operation[] => [
      { kind: 'join', ...there, joinedAfter: undefined },
      { ...sent, groupId: there.groupId, messageId: second, senderId: there.userId },
      { kind: 'mark unread', ...there, ...byUser, messageId: first },
      ...(isDeleted ? [{ kind: 'delete' as const, groupId: there.groupId, messageId: second }] : []),
      { kind: 'get status', ...there, ...byUser, messageIds: [first, second] },
      { kind: 'get watermark', ...there, ...byUser },
    ]);
  /** A member that marks everything in a group without messages. */
  const everything = fc
    .record({
      userId: user,
      messageId: roles.first,
      kind: fc.constantFrom('mark', 'mark delivered', 'mark several'),
    })
    .map(({ userId, messageId, kind }): Operation[] => {
      const there = { groupId: QUIET_GROUP, userId };
      const entry = { groupId: QUIET_GROUP, messageId: MAX, isPrivate: undefined, ifRevision: undefined };
      const marks: Record<typeof kind, Operation> = {
        mark: { kind: 'mark', ...there, ...plain, ...byUser, messageId: MAX },
        'mark delivered': { kind: 'mark delivered', ...there, ...byUser, messageId: MAX },
        'mark several': {
          kind: 'mark several',
          userId,
          ...byUser,
          marks: [{ ...entry, isDelivered: undefined }],
        },
      };
      return [
        { kind: 'join', ...there, joinedAfter: undefined },
        marks[kind],
        { ...sent, groupId: QUIET_GROUP, messageId },
        { kind: 'get watermark', ...there, ...byUser },
      ];
    });
  const scenes = [rejoining, overtaking, ownMessages, everything];
  const known = [...features].flatMap((feature) => scenesOf(feature, { ids, features }));
  const about = (wanted: Focus) =>
    wanted === 'overtaking' ? [overtaking] : scenesOf(wanted, { ids, features });
  const wanted = focus === undefined ? [...scenes, ...known] : about(focus);
  return fc.oneof(...wanted).map((operations) => operations.map((operation) => [operation]));
}
