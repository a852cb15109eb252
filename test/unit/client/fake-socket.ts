import type { WebSocketConstructor } from '../../../client/src/connection.ts';

type Frame = Readonly<Record<string, unknown>>;

/** A socket in the hands of a test, which opens it, sends to it, and ends it. */
export interface FakeSocket {
  readonly url: string;
  readonly protocols: readonly string[];
  readonly sent: readonly Frame[];
  readonly isClosed: boolean;
  open(): void;
  /** Sends a frame of the service. A string is sent as it is. */
  receive(frame: Frame | string): void;
  /** The other side ends it. */
  drop(): void;
}

/** A WebSocket constructor, and the sockets that it has made. */
export function createFakeSockets() {
  const sockets: FakeSocket[] = [];

  class Socket {
    onopen: ((event: never) => unknown) | null = null;
    onmessage: ((event: never) => unknown) | null = null;
    onclose: ((event: never) => unknown) | null = null;
    onerror: ((event: never) => unknown) | null = null;
    readonly sent: Frame[] = [];
    isClosed = false;
    readonly url: string;
    readonly protocols: readonly string[];

    constructor(url: string, protocols: readonly string[]) {
      this.url = url;
      this.protocols = protocols;
      sockets.push(this);
    }
    send(text: string) {
      this.sent.push(JSON.parse(text) as Frame);
    }
    close() {
      this.isClosed = true;
    }
    open() {
      this.onopen?.({} as never);
    }
    receive(frame: Frame | string) {
      this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) } as never);
    }
    drop() {
      this.isClosed = true;
      this.onerror?.({} as never);
      this.onclose?.({} as never);
    }
  }
  return { sockets, WebSocket: Socket as WebSocketConstructor };
}
