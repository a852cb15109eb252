import { once } from 'node:events';
import { WebSocket } from 'ws';
import { SUBPROTOCOL, TOKEN_PREFIX } from '../shared/contract/frames.ts';

/** API Gateway bills each 32 KB of a message, or a part of it, as one. */
const MESSAGE_BYTES = 32 * 1024;

const DEADLINE_MS = 20_000;

interface Frame {
  readonly type?: string;
}

/** The connections of users, with a count of the messages over all of them. */
export class Devices {
  messagesIn = 0;
  messagesOut = 0;
  /** Connections that were opened or closed. */
  handshakes = 0;
  readonly #url: string | null;
  readonly #tokenOf: (userId: string) => Promise<string>;

  constructor(url: string | null, tokenOf: (userId: string) => Promise<string>) {
    this.#url = url;
    this.#tokenOf = tokenOf;
  }

  /** Opens a connection of a user. */
  async connect(userId: string): Promise<Device> {
    if (this.#url === null) throw new Error('the stack has no WebSocket API');
    const protocols = [SUBPROTOCOL, TOKEN_PREFIX + (await this.#tokenOf(userId))];
    const socket = new WebSocket(this.#url, protocols);
    socket.on('message', (data: Buffer) => {
      this.messagesOut += billed(data.length);
    });
    await once(socket, 'open');
    this.handshakes += 1;
    return new Device(socket, {
      sent: (bytes) => {
        this.messagesIn += billed(bytes);
      },
      closed: () => {
        this.handshakes += 1;
      },
    });
  }
}

/** A user's connection. */
export class Device {
  readonly #socket: WebSocket;
  readonly #noted: { sent(bytes: number): void; closed(): void };

  constructor(socket: WebSocket, noted: { sent(bytes: number): void; closed(): void }) {
    this.#socket = socket;
    this.#noted = noted;
  }

  /** Sends a frame. */
  send(frame: object): void {
    const text = JSON.stringify(frame);
    this.#socket.send(text);
    this.#noted.sent(Buffer.byteLength(text));
  }

  /**
   * Resolves with the next frame of a type, which must arrive after this call. Rejects if none arrives: then something else
   * would be counted than what a row is about.
   */
  next(type: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#socket.off('message', listen);
        settle();
      };
      const listen = (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as Frame;
        if (frame.type === type) finish(() => resolve(frame));
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no frame of the type ${type} arrived`))),
        DEADLINE_MS,
      );
      this.#socket.on('message', listen);
    });
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
    this.#noted.closed();
  }
}

function billed(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / MESSAGE_BYTES));
}
