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

export type TidemarkEvent = WatermarkAdvanced;
