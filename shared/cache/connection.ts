import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Redis } from '@upstash/redis';
import { Connector } from './connector.ts';
import { QUESTIONS, type QuestionName, type ScriptName, TIDINGS } from './scripts.ts';
import { type CacheCredentials, type HttpHandler, Refused, Upstash } from './upstash.ts';

export interface ConnectionOptions {
  /** Reads where Upstash is and its token. Read again after it was refused, so that a token can be rotated. */
  readonly credentials: () => Promise<CacheCredentials>;
  readonly timeoutsMs?: Timeouts;
  readonly nowMs?: () => number;
  /** What sends the requests; a caller may come between. */
  readonly http?: HttpHandler;
}

/** How long a call may wait at most, in milliseconds. */
export interface Timeouts {
  /** For the connection and its first answer together. */
  readonly connect: number;
  /** For the answer to a question. */
  readonly ask: number;
  /** For the answer to a merge. */
  readonly tell: number;
}

/** A merge that is given up leaves an old value to be read until the projector has caught up: it may take longer. */
const TIMEOUTS_MS: Timeouts = { connect: 500, ask: 200, tell: 500 };

/**
 * The timeout of every call of a rehearsal. The first call opens the connection, which takes several times as long as a
 * call where Upstash is far away.
 */
const REHEARSAL_MS = 1_000;

/** The timeout of a merge right after a failure: a short probe in case the cache is back. */
const TROUBLED_TELL_MS = 50;

/** After this many consecutive failures, questions skip the cache for this long; merges still go out. */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 3_000;

type Script = ReturnType<Redis['createScript']>;
type Scripts = Readonly<Record<ScriptName, Script>>;

/** Calls the cache's scripts and takes no failure to the caller: without a cache the ledger answers. */
export class CacheConnection {
  readonly #connector: Connector<Scripts>;
  readonly #nowMs: () => number;
  #failures = 0;
  #askAgainAtMs = 0;
  #rehearsalEnd: AbortSignal | null = null;

  constructor({ credentials, timeoutsMs, nowMs, http }: ConnectionOptions) {
    const timeouts = timeoutsMs ?? TIMEOUTS_MS;
    const handler = http ?? new NodeHttpHandler();
    this.#nowMs = nowMs ?? Date.now;
    this.#connector = new Connector({
      credentials,
      open: (read) => this.#scriptsOf(new Upstash(read, handler), timeouts),
      patienceMs: timeouts.connect,
      nowMs: this.#nowMs,
    });
  }

  /** A script's reply as `read` understands it; null where the cache did not give one in time. */
  async run<T>(
    name: ScriptName,
    keys: readonly string[],
    args: readonly string[],
    read: (reply: unknown) => T,
  ): Promise<T | null> {
    if (isQuestion(name) && this.#isOpen()) return null;
    const scripts = await this.#connector.connection();
    if (!scripts) {
      warn('cache did not answer', 'there is no connection');
      return null;
    }
    try {
      const result = read(await scripts[name].exec([...keys], [...args]));
      this.#connector.accept(scripts);
      this.#failures = 0;
      this.#askAgainAtMs = 0;
      return result;
    } catch (error) {
      // A refusal says nothing about how the cache is, and no call is sent before better credentials are there.
      if (error instanceof Refused) this.#connector.refuse(scripts);
      else this.#countFailure();
      warn(this.#isOpen() ? 'cache is not asked for a while' : 'cache did not answer', error);
      return null;
    }
  }

  /** Opens the connection ahead of the first call. */
  warm(): void {
    void this.#connector.start();
  }

  /**
   * Lets `rehearse` make calls, once there is a connection or there cannot be one now. Until `end` their timeouts are
   * longer. Where that comes first nothing is rehearsed: requests are on their way.
   */
  async rehearse(rehearse: () => Promise<unknown>, end: AbortSignal): Promise<void> {
    await this.#connector.start();
    if (end.aborted) return;
    this.#rehearsalEnd = end;
    try {
      await rehearse();
    } finally {
      this.#rehearsalEnd = null;
    }
  }

  #scriptsOf(upstash: Upstash, { ask, tell }: Timeouts): Scripts {
    const within = (timeoutMs: () => number) => () =>
      this.#rehearsalEnd?.aborted === false ? REHEARSAL_MS : Math.min(timeoutMs(), this.#connector.leftMs());
    const asking = upstash.client(within(() => ask));
    const telling = upstash.client(
      within(() => (this.#failures > 0 ? Math.min(tell, TROUBLED_TELL_MS) : tell)),
    );
    const scripts = [
      ...Object.entries(QUESTIONS).map(([name, source]) => [name, asking.createScript(source)]),
      ...Object.entries(TIDINGS).map(([name, source]) => [name, telling.createScript(source)]),
    ];
    return Object.fromEntries(scripts) as Scripts;
  }

  #countFailure(): void {
    this.#failures += 1;
    if (this.#failures >= FAILURES_TO_OPEN) this.#askAgainAtMs = this.#nowMs() + OPEN_MS;
  }

  #isOpen(): boolean {
    return this.#nowMs() < this.#askAgainAtMs;
  }
}

function isQuestion(name: ScriptName): name is QuestionName {
  return name in QUESTIONS;
}

function warn(message: string, reason: unknown): void {
  console.warn({ message, reason: reason instanceof Error ? reason.message : String(reason) });
}
