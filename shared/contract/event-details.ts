import * as v from 'valibot';
import { groupId, messageId, messageIdOrNone, preferences, revision, time, userId } from './values.ts';

/** What the events of a member have in common. */
const ofMember = {
  groupId,
  userId,
  membership: v.pipe(
    v.number(),
    v.integer(),
    v.description('Grows with each joining. Of two events the one of the larger membership counts'),
  ),
};

const from = v.pipe(messageIdOrNone, v.description('Null at first'));

/** The fields of each event's detail, besides `version`, by its `detail-type`. */
export const eventDetails = {
  WatermarkAdvanced: v.pipe(
    v.strictObject({
      ...ofMember,
      from,
      to: messageId,
      readAt: time,
      ownRevision: v.pipe(
        v.nullable(revision),
        v.description(
          "The revision of the own view where that moved to `to` as well. Null where it stayed, or where an OwnWatermarkMoved reports it. For the member's own devices, not for others",
        ),
      ),
    }),
    v.description('The messages above `from`, up to and with `to`, are newly read by the user'),
  ),
  OwnWatermarkMoved: v.pipe(
    v.strictObject({
      ...ofMember,
      messageId: v.pipe(
        messageIdOrNone,
        v.description('Where the own view now stands; null where everything is unread again'),
      ),
      revision,
      readAt: time,
    }),
    v.description(
      "The own view moved in another way than the public watermark: read privately, or marked unread. For the member's own devices, not for others",
    ),
  ),
  DeliveryAdvanced: v.pipe(
    v.strictObject({ ...ofMember, from, to: messageId, at: time }),
    v.description(
      'The messages above `from`, up to and with `to`, were delivered to the user, who has not read all of them',
    ),
  ),
  PreferencesChanged: v.pipe(
    v.strictObject({ ...ofMember, ...preferences }),
    v.description(
      "The user changed its preferences of the group. For the member's own devices, not for others",
    ),
  ),
  GroupFullyRead: v.pipe(
    v.strictObject({ groupId, upTo: messageId }),
    v.description('Every member has read up to here. Of several events, the largest `upTo` counts'),
  ),
  GroupDeleted: v.pipe(
    v.strictObject({ groupId }),
    v.description(
      'The deletion of the group is done: nothing from before is left but what docs/privacy.md names',
    ),
  ),
  UserErased: v.pipe(
    v.strictObject({ userId }),
    v.description(
      'The erasure of the user is done: nothing of the user is left but what docs/privacy.md names',
    ),
  ),
  MessageStillUnread: v.pipe(
    v.strictObject({
      groupId,
      messageId,
      userIds: v.pipe(
        v.array(userId),
        v.maxLength(100),
        v.description(
          "Members of the message's audience who have not read it, privately or not. Empty only in a last event",
        ),
      ),
      isLast: v.pipe(v.boolean(), v.description('True in the last event of this message')),
    }),
    v.description(
      'The time of `remindAfterSeconds` is over. A message has as many events as its unread readers need, and none if everyone has read it. For the back end, not for other users: it shows private reads',
    ),
  ),
};
