import type { Redis } from '@upstash/redis';
import { BoundedHttpHandler } from '../aws/deadline.ts';
import { Connector } from './connector.ts';
import type { LiveScriptName } from './live-scripts.ts';
import { READING_SCRIPTS, type ReadingScriptName, type ScriptName, WRITING_SCRIPTS } from './scripts.ts';
import { type CacheCredentials, type HttpHandler, Refused, Upstash } from './upstash.ts';

export interface ConnectionOptions {
  /** Reads Upstash's URL and token. Called again after Upstash refused the token, so that a token can be rotated. */
  readonly credentials: () => Promise<CacheCredentials>;
  readonly timeoutsMs?: Timeouts;
  readonly nowMs?: () => number;
  /** Sends the requests. A caller may wrap it. */
  readonly http?: HttpHandler;
  /** Scripts besides those of every function, which most functions do not need in their bundles. */
  readonly moreScripts?: Readonly<Record<LiveScriptName, string>>;
}

/** The longest waits of a call, in milliseconds. */
export interface Timeouts {
  /** For the connection and its first reply together. */
  readonly connect: number;
  /** For the reply to a read. */
  readonly read: number;
  /** For the reply to a write. */
  readonly write: number;
}

/** Writes may take longer: after a lost write, reads return an old value until the projector has merged the new one. */
const TIMEOUTS_MS: Timeouts = { connect: 500, read: 200, write: 500 };

/**
 * The timeout of every call of a rehearsal. The first call opens the connection. If Upstash is far away, that takes
 * several times as long as a call.
 */
const REHEARSAL_MS = 1_000;

/** Timeout of a write right after a failure: a short probe in case the cache is back. */
const WRITE_AFTER_FAILURE_MS = 50;

/** After this many consecutive failures, reads skip the cache for this long; writes still go out. */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 3_000;

type Script = ReturnType<Redis['createScript']>;
type AnyScriptName = ScriptName | LiveScriptName;
type Scripts = Readonly<Record<AnyScriptName, Script>>;

/** Calls the cache's scripts. No failure reaches the caller, since the ledger can answer without a cache. */
export class CacheConnection {
  readonly #connector: Connector<Scripts>;
  readonly #nowMs: () => number;
  #failures = 0;
  #readAgainAtMs = 0;
  #rehearsalEnd: AbortSignal | null = null;

  constructor({ credentials, timeoutsMs, nowMs, http, moreScripts }: ConnectionOptions) {
    const timeouts = timeoutsMs ?? TIMEOUTS_MS;
    const handler = http ?? new BoundedHttpHandler();
    this.#nowMs = nowMs ?? Date.now;
    this.#connector = new Connector({
      credentials,
      open: (read) => this.#scriptsOf(new Upstash(read, handler), timeouts, moreScripts),
      maxWaitMs: timeouts.connect,
      nowMs: this.#nowMs,
    });
  }

  /** Runs a script and returns its reply, decoded by `read`; null if the cache did not reply in time. */
  async run<T>(
    name: AnyScriptName,
    keys: readonly string[],
    args: readonly string[],
    read: (reply: unknown) => T,
  ): Promise<T | null> {
    if (isReading(name) && this.#isOpen()) return null;
    const scripts = await this.#connector.connection();
    if (!scripts) {
      warn('cache did not answer', 'there is no connection');
      return null;
    }
    try {
      const result = read(await scripts[name].exec([...keys], [...args]));
      this.#connector.accept(scripts);
      this.#failures = 0;
      this.#readAgainAtMs = 0;
      return result;
    } catch (error) {
      // A refused token is not a failure of the cache, and no call is sent until there are other credentials.
      if (error instanceof Refused) this.#connector.refuse(scripts);
      else this.#countFailure();
      warn(this.#isOpen() ? 'reads skip the cache for a while' : 'cache did not answer', error);
      return null;
    }
  }

  /**
   * Connects, or fails to, and then runs `rehearse`. Until `end`, the timeouts of its calls are longer. If `end` comes
   * before the connection, nothing is rehearsed: requests have arrived.
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

  #scriptsOf(upstash: Upstash, { read, write }: Timeouts, more = {}): Scripts {
    const within = (timeoutMs: () => number) => () =>
      this.#rehearsalEnd?.aborted === false ? REHEARSAL_MS : Math.min(timeoutMs(), this.#connector.leftMs());
    const reading = upstash.client(within(() => read));
    const writing = upstash.client(
      within(() => (this.#failures > 0 ? Math.min(write, WRITE_AFTER_FAILURE_MS) : write)),
    );
    const scripts = [
      ...Object.entries(READING_SCRIPTS).map(([name, source]) => [name, reading.createScript(source)]),
      ...Object.entries({ ...WRITING_SCRIPTS, ...more }).map(([name, source]) => [
        name,
        writing.createScript(source),
      ]),
    ];
    return Object.fromEntries(scripts) as Scripts;
  }

  #countFailure(): void {
    this.#failures += 1;
    if (this.#failures >= FAILURES_TO_OPEN) this.#readAgainAtMs = this.#nowMs() + OPEN_MS;
  }

  #isOpen(): boolean {
    return this.#nowMs() < this.#readAgainAtMs;
  }
}

function isReading(name: AnyScriptName): name is ReadingScriptName {
  return name in READING_SCRIPTS;
}

function warn(message: string, reason: unknown): void {
  console.warn({ message, reason: reason instanceof Error ? reason.message : String(reason) });
}
