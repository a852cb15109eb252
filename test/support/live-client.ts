import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ServerFrame } from '../../shared/contract/server-frames.ts';
import { MergedFrames, type Receipt } from './merged-frames.ts';

export interface LiveClientOptions {
  readonly url: string;
  readonly groupId: string;
  /** Called for each connection. */
  token(): Promise<string>;
  /** Reads the receipts of the user's own messages over HTTP. No frame has those that changed while the user was offline. */
  readReceipts(): Promise<readonly Receipt[]>;
  /** Called with each frame, after it was merged. */
  readonly onFrame?: (frame: ServerFrame) => void;
}

/** Pause before another try to connect or to sync. */
const RETRY_MS = 50;

/**
 * A device of a user in one group, written by docs/live.md and without the client of this project: it connects again with
 * a new token whenever its connection ends, sends `sync` after each connect, and merges every frame.
 */
export class LiveClient {
  readonly merged = new MergedFrames();
  /** Every frame that came, in order, over all connections. */
  readonly frames: ServerFrame[] = [];
  /** How often a sync was merged, with the receipts that were read after it. */
  syncs = 0;
  readonly #options: LiveClientOptions;
  #socket: WebSocket | null = null;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: LiveClientOptions) {
    this.#options = options;
  }

  /** Connects. Use `syncs` to know when it is up to date. */
  start(): void {
    this.#running = this.#run();
  }

  /** Cuts the connection without a word to the service. */
  cut(): void {
    this.#socket?.terminate();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#socket?.terminate();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#connection();
      if (!this.#isStopped) await delay(RETRY_MS);
    }
  }

  /** Resolves when the connection has ended, or was refused. */
  async #connection(): Promise<void> {
    const { url, groupId, token } = this.#options;
    const socket = new WebSocket(url, ['tidemark.v1', `bearer.${await token()}`]);
    this.#socket = socket;
    const sync = () => socket.send(JSON.stringify({ action: 'sync', ref: 'sync', groups: [groupId] }));
    const work: Promise<void>[] = [];
    socket.on('open', sync);
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ServerFrame;
      this.frames.push(frame);
      this.merged.add(frame);
      this.#options.onFrame?.(frame);
      if (frame.type === 'synced') work.push(this.#readReceipts(frame.asOf));
      const isRefusedSync = frame.type === 'error' && frame.ref === 'sync';
      if (isRefusedSync) setTimeout(() => socket.readyState === WebSocket.OPEN && sync(), RETRY_MS);
    });
    await new Promise<void>((resolve) => {
      // An error is followed by `close`.
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      if (this.#isStopped) socket.terminate();
    });
    await Promise.all(work);
  }

  /** They were read after the state of the sync, so they are at least as new as its `asOf`. */
  async #readReceipts(asOf: number): Promise<void> {
    this.merged.addReceipts(this.#options.groupId, await this.#options.readReceipts(), asOf);
    this.syncs += 1;
  }
}
