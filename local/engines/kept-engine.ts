import { setTimeout as delay } from 'node:timers/promises';
import type { ExitStatus } from './guarded-process.ts';

/** An engine in its own process. */
export interface EngineProcess {
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  stop(): Promise<void>;
}

export interface KeepingOptions<E extends EngineProcess> {
  /** Starts the engine again, at the same address and with the same data. */
  readonly startAgain: () => Promise<E>;
  readonly log: (line: string) => void;
  /** Called after each new start. */
  readonly changed: (engine: E) => void;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly nowMs?: () => number;
}

/** The pauses between new starts, which grow if the engine keeps ending. */
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 30_000;

/** After an engine has run this long, the pauses begin again with the shortest. */
const WELL_AFTER_MS = 60_000;

/** Starts an engine again each time it ends by itself, until it is stopped. */
export class KeptEngine<E extends EngineProcess> {
  readonly #name: string;
  readonly #options: KeepingOptions<E>;
  readonly #stop = new AbortController();
  readonly #keeping: Promise<void>;
  #current: E;
  #isRestarting = false;

  constructor(name: string, first: E, options: KeepingOptions<E>) {
    this.#name = name;
    this.#current = first;
    this.#options = options;
    this.#keeping = this.#keep();
  }

  get current(): E {
    return this.#current;
  }

  /** Whether it is being started now. */
  get isRestarting(): boolean {
    return this.#isRestarting;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#current.stop();
    await this.#keeping;
  }

  async #keep(): Promise<void> {
    const { changed, log, nowMs = Date.now } = this.#options;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const startedAtMs = nowMs();
      const { code, signal } = await this.#current.exited;
      if (this.#isStopped()) return;
      if (nowMs() - startedAtMs >= WELL_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
      const how = `${this.#name} ended with ${code ?? signal}`;
      let again: E | null = null;
      while (!again) {
        await this.#wait(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS);
        if (this.#isStopped()) return;
        try {
          again = await this.#startAgain();
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          if (!this.#isStopped()) log(`${how} and cannot be started again yet: ${reason}`);
        }
      }
      this.#current = again;
      if (this.#isStopped()) return again.stop();
      log(`${how} and was started again (process ${again.pid})`);
      changed(again);
    }
  }

  async #startAgain(): Promise<E> {
    this.#isRestarting = true;
    try {
      return await this.#options.startAgain();
    } finally {
      this.#isRestarting = false;
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #wait(ms: number): Promise<void> {
    const { wait = waitFor } = this.#options;
    await wait(ms, this.#stop.signal).catch(() => undefined);
  }
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal });
}
