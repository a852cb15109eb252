/** The source of every event that Tidemark puts on the bus. */
export const SOURCE = 'tidemark';

/** The version of every event's detail. */
export const VERSION = '1';

/** What the events of a member have in common. */
interface OfMember {
  readonly groupId: string;
  readonly userId: string;
  /** Grows with each joining. Of two events the one of the larger membership counts, whatever else they tell. */
  readonly membership: number;
}

/** A public watermark moved: the messages above `from`, up to and with `to`, are newly read by the user. */
export interface WatermarkAdvanced extends OfMember {
  readonly type: 'WatermarkAdvanced';
  /** Null where nothing was read before. */
  readonly from: string | null;
  readonly to: string;
  /** RFC 3339, UTC. */
  readonly readAt: string;
  /**
   * The revision of the own view where that moved to `to` as well; null where it stayed, or an `OwnWatermarkMoved` tells
   * of it. For the member's own devices, not for others.
   */
  readonly ownRevision: number | null;
}

/** The member's own view moved otherwise than with its public watermark: read privately, or marked unread. */
export interface OwnWatermarkMoved extends OfMember {
  readonly type: 'OwnWatermarkMoved';
  /** Where the own view now stands; null where everything is unread again. */
  readonly messageId: string | null;
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly readAt: string;
}

/** The messages above `from`, up to and with `to`, were delivered to the user, who has not read all of them. */
export interface DeliveryAdvanced extends OfMember {
  readonly type: 'DeliveryAdvanced';
  /** Null where nothing was delivered before. */
  readonly from: string | null;
  readonly to: string;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/** Every member has read up to a position. Of several, the largest counts: they may come in any order. */
export interface GroupFullyRead {
  readonly type: 'GroupFullyRead';
  readonly groupId: string;
  readonly upTo: string;
}

export type TidemarkEvent = WatermarkAdvanced | OwnWatermarkMoved | DeliveryAdvanced | GroupFullyRead;
