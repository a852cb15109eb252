import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Client } from './events.ts';
import { FrameSizes } from './frame-sizes.ts';
import type { WebSocketLimits } from './limits.ts';

/** How long a client may take to answer a close frame. */
const CLOSE_MS = 1_000;

/** How a connection has ended: a code of RFC 6455 and its reason. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** What API Gateway closes a connection with when its time is over, or when the stack stops. */
export const GOING_AWAY: Ending = { code: 1001, reason: 'Going away' };
/** How API Gateway closes a connection that a back end deletes. */
export const DELETED: Ending = { code: 1000, reason: 'Connection Closed Normally' };
const TOO_LARGE: Ending = { code: 1009, reason: 'Message too big' };
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-binary-media-types.html */
const BINARY: Ending = { code: 1003, reason: 'Binary frames are not supported' };

/** Reasons for codes that are never in a frame: the client sent no close frame, or one without a code. */
const UNSPOKEN: Readonly<Record<number, string>> = {
  1005: 'Client-side close frame status not set',
  1006: 'Connection closed abnormally',
};

export interface ConnectionEvents {
  message(text: string): void;
  closed(ending: Ending): void;
}

/** A client's open connection, within the limits of API Gateway. */
export class Connection {
  readonly client: Client;
  readonly #socket: WebSocket;
  readonly #limits: WebSocketLimits;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #idle: NodeJS.Timeout;
  #lastActiveAtMs = Date.now();
  /** What the gateway has closed it with; null while it has not. */
  #closedWith: Ending | null = null;

  /** @param stream what the socket reads from */
  constructor(
    client: Client,
    socket: WebSocket,
    stream: Duplex,
    limits: WebSocketLimits,
    events: ConnectionEvents,
  ) {
    this.client = client;
    this.#socket = socket;
    this.#limits = limits;
    this.#idle = setTimeout(() => this.close(GOING_AWAY), limits.idleMs);
    this.#timers = [this.#idle, setTimeout(() => this.close(GOING_AWAY), limits.connectionMs)];
    const sizes = new FrameSizes();
    // Before `ws`, so that a message with such a frame is closed and not handed on.
    stream.prependListener('data', (bytes: Buffer) => {
      if (sizes.largestIn(bytes) > limits.frameBytes) this.close(TOO_LARGE);
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.#closedWith) return;
      if (isBinary) return this.close(BINARY);
      this.#touch();
      events.message(data.toString());
    });
    // After a fault of the client, `ws` itself sends the close frame with the code for it.
    socket.on('error', (error: Error & { readonly code?: string }) => {
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#closedWith ??= TOO_LARGE;
    });
    socket.on('close', (code: number, reason: Buffer) => {
      for (const timer of this.#timers) clearTimeout(timer);
      events.closed(this.#closedWith ?? { code, reason: UNSPOKEN[code] ?? reason.toString() });
    });
  }

  /** False from the moment on when either side has closed it. */
  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get lastActiveAtMs(): number {
    return this.#lastActiveAtMs;
  }

  /**
   * Sends a text. Sends nothing if the client has gone. Returns false and sends nothing if the client has not yet read
   * earlier texts.
   */
  send(text: string): boolean {
    if (this.#socket.bufferedAmount > this.#limits.bufferedBytes) return false;
    if (!this.isOpen) return true;
    this.#touch();
    const bytes = Buffer.from(text);
    const { frameBytes } = this.#limits;
    for (let at = 0; at === 0 || at < bytes.length; at += frameBytes) {
      const fin = at + frameBytes >= bytes.length;
      this.#socket.send(bytes.subarray(at, at + frameBytes), { binary: false, fin });
    }
    return true;
  }

  close(ending: Ending): void {
    if (this.#closedWith) return;
    this.#closedWith = ending;
    this.#socket.close(ending.code, ending.reason);
    setTimeout(() => this.#socket.terminate(), CLOSE_MS).unref();
  }

  /** Only messages count as activity. AWS does not say that pings count, so a connection that stays open here also does there. */
  #touch(): void {
    this.#lastActiveAtMs = Date.now();
    this.#idle.refresh();
  }
}
