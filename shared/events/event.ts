/** The source of every event that Tidemark puts on the bus. */
export const SOURCE = 'tidemark';

/** The version of every event's detail. */
export const VERSION = '1';

/** A public watermark moved: the messages above `from`, up to and with `to`, are newly read by the user. */
export interface WatermarkAdvanced {
  readonly type: 'WatermarkAdvanced';
  readonly groupId: string;
  readonly userId: string;
  /** Null where nothing was read before. */
  readonly from: string | null;
  readonly to: string;
  /** RFC 3339, UTC. */
  readonly readAt: string;
}

/** Only the member's own view moved: read privately, or marked unread. */
export interface OwnWatermarkMoved {
  readonly type: 'OwnWatermarkMoved';
  readonly groupId: string;
  readonly userId: string;
  /** Where the own view now stands; null where everything is unread again. */
  readonly messageId: string | null;
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly readAt: string;
}

/** The messages above `from`, up to and with `to`, were delivered to the user, who has not read all of them. */
export interface DeliveryAdvanced {
  readonly type: 'DeliveryAdvanced';
  readonly groupId: string;
  readonly userId: string;
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
