import type { FrameGates, FrameKind } from '../cache/frame-gates.ts';
import type { LiveCache } from '../cache/live-cache.ts';
import type { MessageRange } from '../cache/message-range.ts';
import type { ServerFrame } from '../contract/server-frames.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Connections } from '../ledger/connections.ts';
import type { Tidemark } from '../operations/tidemark.ts';

/** `gone`: the connection does not exist any more. `failed`: it is not known whether the frame arrived. */
export type Posted = 'sent' | 'gone' | 'failed';

/** Open connections, by their ids. Neither call throws. Each ends within a few seconds. */
export interface Sockets {
  post(connectionId: string, frame: ServerFrame): Promise<Posted>;
  /** Closes a connection. Best effort: one that stays open is closed by the gateway after two hours. */
  close(connectionId: string): Promise<void>;
}

/** A frame that leaves in a moment. */
export interface DueFrame {
  readonly groupId: GroupId;
  readonly userId: UserId;
  readonly kind: FrameKind;
  /** Of the move that made it due. The cache may know of more. */
  readonly range: MessageRange;
}

/** What every operation on connections and frames works with. */
export interface Live {
  readonly tidemark: Tidemark;
  readonly cache: LiveCache;
  readonly gates: FrameGates;
  readonly connections: Connections;
  readonly sockets: Sockets;
}

/** Takes frames that are to leave in a second. */
export interface FrameQueue {
  /** Throws if the queue does not take the frame. */
  add(frame: DueFrame): Promise<void>;
}
