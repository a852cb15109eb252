import * as v from 'valibot';

const id = v.string();
/** RFC 3339, UTC. */
const time = v.string();

/** What the events of a member have in common. */
const ofMember = {
  groupId: id,
  userId: id,
  /** Grows with each joining. Of two events the one of the larger membership counts, whatever else they hold. */
  membership: v.number(),
};

/** The fields of each event's detail, besides `version`, by its `detail-type`. */
export const eventDetails = {
  /** A public watermark moved: the messages above `from`, up to and with `to`, are newly read by the user. */
  WatermarkAdvanced: v.strictObject({
    ...ofMember,
    /** Null where nothing was read before. */
    from: v.nullable(id),
    to: id,
    readAt: time,
    /**
     * The revision of the own view where that moved to `to` as well. Null where it stayed, or where an
     * `OwnWatermarkMoved` reports it. For the member's own devices, not for others.
     */
    ownRevision: v.nullable(v.number()),
  }),
  /** The member's own view moved otherwise than with its public watermark: read privately, or marked unread. */
  OwnWatermarkMoved: v.strictObject({
    ...ofMember,
    /** Where the own view now stands; null where everything is unread again. */
    messageId: v.nullable(id),
    revision: v.number(),
    readAt: time,
  }),
  /** The messages above `from`, up to and with `to`, were delivered to the user, who has not read all of them. */
  DeliveryAdvanced: v.strictObject({
    ...ofMember,
    /** Null where nothing was delivered before. */
    from: v.nullable(id),
    to: id,
    at: time,
  }),
  /** Every member has read up to a position. Of several, the largest counts: they may come in any order. */
  GroupFullyRead: v.strictObject({ groupId: id, upTo: id }),
};
