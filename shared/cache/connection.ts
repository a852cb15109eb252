import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Redis } from '@upstash/redis';
import { QUESTIONS, type QuestionName, type ScriptName, TIDINGS } from './scripts.ts';
import { type CacheCredentials, type HttpHandler, Upstash } from './upstash.ts';

export interface ConnectionOptions {
  /** Where Upstash is and its token. Asked for again after it was refused, so that a token can be rotated. */
  readonly credentials: () => Promise<CacheCredentials>;
  /** How long a question and how long a merge may take, in milliseconds. */
  readonly timeoutsMs?: Timeouts;
  readonly nowMs?: () => number;
  /** What sends the requests; a caller may come between. */
  readonly http?: HttpHandler;
}

export interface Timeouts {
  readonly ask: number;
  readonly tell: number;
}

/** A merge that is given up leaves an old value to be read until the projector has caught up: it may take longer. */
const TIMEOUTS_MS: Timeouts = { ask: 200, tell: 500 };

/** A merge after the last call failed: an attempt, since the cache may be back, that nobody waits long for. */
const TROUBLED_TELL_MS = 50;

/** So many failures in a row, and the cache is asked no more for so long. It is still told what the ledger said. */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 3_000;

/** What Upstash answers to a token that is not, or no longer, the right one. */
const REFUSED = /WRONGPASS|NOAUTH|unauthorized/i;

type Script = ReturnType<Redis['createScript']>;

/** Calls the cache's scripts and takes no failure to the caller: without a cache the ledger answers. */
export class CacheConnection {
  readonly #options: ConnectionOptions;
  readonly #timeouts: Timeouts;
  readonly #nowMs: () => number;
  readonly #http: HttpHandler;
  #scripts: Promise<Record<ScriptName, Script>> | null = null;
  #failures = 0;
  #askAgainAtMs = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#timeouts = options.timeoutsMs ?? TIMEOUTS_MS;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#http = options.http ?? new NodeHttpHandler();
  }

  /** A script's reply as `read` understands it; null where the cache did not give one in time. */
  async run<T>(
    name: ScriptName,
    keys: readonly string[],
    args: readonly string[],
    read: (reply: unknown) => T,
  ): Promise<T | null> {
    if (isQuestion(name) && this.#nowMs() < this.#askAgainAtMs) return null;
    try {
      const scripts = await this.#connected();
      const result = read(await scripts[name].exec([...keys], [...args]));
      this.#failures = 0;
      this.#askAgainAtMs = 0;
      return result;
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  /** Opens the connection ahead of the first call; a failure shows in that call. */
  warm(): void {
    this.#connected().catch(() => undefined);
  }

  async #connected(): Promise<Record<ScriptName, Script>> {
    this.#scripts ??= this.#connect().catch((error: unknown) => {
      this.#scripts = null;
      throw error;
    });
    return this.#scripts;
  }

  async #connect(): Promise<Record<ScriptName, Script>> {
    const upstash = new Upstash(await this.#options.credentials(), this.#http);
    const { ask, tell } = this.#timeouts;
    const asking = upstash.client(() => ask);
    const telling = upstash.client(() => (this.#failures > 0 ? Math.min(tell, TROUBLED_TELL_MS) : tell));
    const scripts = [
      ...Object.entries(QUESTIONS).map(([name, source]) => [name, asking.createScript(source)]),
      ...Object.entries(TIDINGS).map(([name, source]) => [name, telling.createScript(source)]),
    ];
    return Object.fromEntries(scripts) as Record<ScriptName, Script>;
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (REFUSED.test(reason)) this.#scripts = null;
    this.#failures += 1;
    const isOpening = this.#failures >= FAILURES_TO_OPEN;
    if (isOpening) this.#askAgainAtMs = this.#nowMs() + OPEN_MS;
    console.warn({
      message: isOpening ? 'cache is not asked for a while' : 'cache did not answer',
      reason,
    });
  }
}

function isQuestion(name: ScriptName): name is QuestionName {
  return name in QUESTIONS;
}
