import { pauseAfter } from './backoff.ts';
import type { ClientFrame, ServerFrame } from './frames.ts';
import { parseObject, type TokenSource } from './transport.ts';

interface Socket {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(text: string): void;
  close(): void;
}

/** A WebSocket's constructor, as browsers and Node.js have it. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => Socket;

export interface ConnectionOptions {
  readonly url: string;
  readonly token: TokenSource;
  /** In place of the global `WebSocket`, which Node.js has from version 22 on. */
  readonly WebSocket?: WebSocketConstructor;
  /** A connection is open, and has taken the place of an earlier one. */
  readonly onOpen: () => void;
  readonly onFrame: (frame: ServerFrame) => void;
  /** No connection is left. It is being restored. */
  readonly onLost: () => void;
  readonly onError: (error: unknown) => void;
}

/** API Gateway ends a connection on which nothing was sent for ten minutes. */
const PING_MS = 4 * 60_000;
/** API Gateway ends every connection after two hours. */
const RENEW_MS = 110 * 60_000;
/** The renewals of clients that connected together are spread over this time. */
const RENEW_SPREAD_MS = 5 * 60_000;
/** A connection that does not open within this time, or has no answer to a frame, counts as dead. */
const ANSWER_MS = 10_000;
/**
 * A connection that lasted this long ends the backoff. One that is closed soon after it opened does not: the service closes
 * the oldest connection of a user with too many, and two such devices would close each other without a pause.
 */
const STABLE_MS = 60_000;

type Timer = ReturnType<typeof setTimeout> | undefined;

/** One socket, with its timers. */
interface Line {
  transmit(frame: ClientFrame): void;
  /** Closes the socket. Another line follows, unless the connection is stopped. */
  end(): void;
}

/**
 * One connection that is kept open until it is stopped: restored with backoff, kept alive by pings, and renewed
 * before the gateway ends it. The old socket is used until the new one is open.
 */
export function createConnection(options: ConnectionOptions) {
  let isStopped = false;
  /** In use. */
  let current: Line | null = null;
  /** Being opened. */
  let next: Line | null = null;
  let failures = 0;
  let refused: string | undefined;
  let retryTimer: Timer;

  async function open(): Promise<void> {
    clearTimeout(retryTimer);
    if (isStopped || next) return;
    let token: string | undefined;
    let socket: Socket | undefined;
    let openedMs = 0;
    let answerTimer: Timer;
    let pingTimer: Timer;
    let renewTimer: Timer;
    const line: Line = { transmit, end };

    function use(): void {
      if (next !== line) return;
      const old = current;
      current = line;
      next = null;
      old?.end();
      openedMs = Date.now();
      pingTimer = setInterval(() => transmit({ action: 'ping' }), PING_MS);
      renewTimer = setTimeout(() => void open(), RENEW_MS + Math.random() * RENEW_SPREAD_MS);
      answered();
      options.onOpen();
    }

    function receive({ data }: { readonly data: unknown }): void {
      if (line !== current) return;
      const frame = parseObject(data) as ServerFrame | null;
      // A message without a type is the gateway's own: a function has failed.
      if (!frame?.type || frame.type === 'error') {
        // What was asked for gets no answer now. After the next connect, everything is asked for.
        if (frame?.code === 'token_expired') refused = token;
        else options.onError(new Error(`unexpected frame: ${data}`));
        end();
        return;
      }
      answered();
      options.onFrame(frame);
    }

    function end(): void {
      clearInterval(pingTimer);
      clearTimeout(renewTimer);
      clearTimeout(answerTimer);
      socket?.close();
      if (line === next) {
        next = null;
        // A refused token looks like any other failure to open: every second time, a new one is asked for.
        if (failures % 2) refused = token;
      } else if (line === current) {
        current = null;
        if (Date.now() - openedMs > STABLE_MS) failures = 0;
        options.onLost();
      } else {
        return;
      }
      if (isStopped || next) return;
      clearTimeout(retryTimer);
      retryTimer = setTimeout(() => void open(), pauseAfter(failures));
      failures += 1;
    }

    function transmit(frame: ClientFrame): void {
      socket?.send(JSON.stringify(frame));
      awaitAnswer();
    }

    function awaitAnswer(): void {
      answerTimer ??= setTimeout(end, ANSWER_MS);
    }

    function answered(): void {
      clearTimeout(answerTimer);
      answerTimer = undefined;
    }

    next = line;
    awaitAnswer();
    try {
      token = await options.token(refused);
      if (next !== line) return;
      refused = undefined;
      const Constructor = options.WebSocket ?? (WebSocket as unknown as WebSocketConstructor);
      socket = new Constructor(options.url, ['tidemark.v1', `bearer.${token}`]);
      socket.onopen = use;
      socket.onmessage = receive;
      socket.onclose = socket.onerror = end;
    } catch (error) {
      // The token callback failed, or there is no WebSocket.
      options.onError(error);
      end();
    }
  }

  void open();
  return {
    stop(): void {
      isStopped = true;
      clearTimeout(retryTimer);
      current?.end();
      next?.end();
    },

    /** Sends a frame that the service answers. Without a connection nothing is sent: each begins with a sync. */
    send(frame: ClientFrame): void {
      current?.transmit(frame);
    },

    /** The page is visible again, or the network is back: notices a dead connection, and restores a lost one, without a pause. */
    check(): void {
      if (current) current.transmit({ action: 'ping' });
      else void open();
    },
  };
}
