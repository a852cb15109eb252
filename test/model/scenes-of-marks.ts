import fc from 'fast-check';
import { maybe, QUIET_GROUP, rolesOf, type Scene, type Setting } from './choices.ts';
import { MAX_ID } from './model.ts';
import type { IfRevision, Operation } from './operations.ts';
import {
  getStatus,
  getWatermark,
  join,
  leave,
  mark,
  markDelivered,
  markInBatch,
  markUnread,
  remove,
  send,
} from './plain-operations.ts';

/** A member that joins again and marks with an earlier revision. */
export function rejoining(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      isPrivate: maybe(fc.boolean()),
      ifRevision: fc.constantFrom<IfRevision | undefined>('former', 'former', 'current', 0, 1),
      inBatch: fc.boolean(),
    })
    .map(({ first, second, isPrivate, ifRevision, inBatch, ...there }) => {
      const { groupId } = there;
      const markLate = inBatch ? markInBatch : mark;
      return [
        join(there),
        send(groupId, first),
        mark(there, first),
        markUnread(there, first),
        leave(there),
        join(there),
        send(groupId, second),
        markLate(there, second, { isPrivate, ifRevision }),
        getWatermark(there),
      ];
    });
}

/** A mark before its message, and steps that may come in between. */
export function overtaking(setting: Setting): Scene {
  return fc
    .record({
      ...rolesOf(setting),
      // These are rarely recorded otherwise, so the head is below them.
      second: fc.constantFrom(...setting.ids.slice(-5, -1)),
      isPrivate: maybe(fc.boolean()),
      between: fc.constantFrom('nothing', 'unread', 'rejoining', 'another mark'),
    })
    .map(({ first, second, isPrivate, between, ...there }) => {
      const { groupId } = there;
      const events: Record<typeof between, Operation[]> = {
        nothing: [],
        unread: [markUnread(there, first)],
        rejoining: [leave(there), join(there)],
        'another mark': [mark(there, second)],
      };
      return [
        join(there),
        send(groupId, first),
        mark(there, second, { isPrivate }),
        ...events[between],
        send(groupId, second),
        getWatermark(there),
      ];
    });
}

/** Own messages are read, also above the own view. */
export function sendingAndMarkingUnread(setting: Setting): Scene {
  return fc
    .record({ ...rolesOf(setting), isDeleted: fc.boolean() })
    .map(({ first, second, isDeleted, ...there }) => {
      const { groupId, userId } = there;
      return [
        join(there),
        send(groupId, second, userId),
        markUnread(there, first),
        ...(isDeleted ? [remove(groupId, second)] : []),
        getStatus(there, [first, second]),
        getWatermark(there),
      ];
    });
}

/** A member that marks everything in a group without messages. */
export function markingEverything(setting: Setting): Scene {
  const { userId, first } = rolesOf(setting);
  return fc
    .record({ userId, first, marks: fc.constantFrom(mark, markDelivered, markInBatch) })
    .map(({ userId, first, marks }) => {
      const there = { groupId: QUIET_GROUP, userId };
      return [join(there), marks(there, MAX_ID), send(QUIET_GROUP, first), getWatermark(there)];
    });
}
