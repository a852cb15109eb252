import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Redis } from '@upstash/redis';
import { Connector } from './connector.ts';
import type { LiveScriptName } from './live-scripts.ts';
import { QUESTIONS, type QuestionName, type ScriptName, TIDINGS } from './scripts.ts';
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
  readonly ask: number;
  /** For the reply to a write. */
  readonly tell: number;
}

/** Writes may take longer: after a lost write, reads return an old value until the projector has merged the new one. */
const TIMEOUTS_MS: Timeouts = { connect: 500, ask: 200, tell: 500 };

/**
 * The timeout of every call of a rehearsal. The first call opens the connection. If Upstash is far away, that takes
 * several times as long as a call.
 */
const REHEARSAL_MS = 1_000;

/** Timeout of a write right after a failure: a short probe in case the cache is back. */
const TROUBLED_TELL_MS = 50;

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
  #askAgainAtMs = 0;
  #rehearsalEnd: AbortSignal | null = null;

  constructor({ credentials, timeoutsMs, nowMs, http, moreScripts }: ConnectionOptions) {
    const timeouts = timeoutsMs ?? TIMEOUTS_MS;
    const handler = http ?? new NodeHttpHandler();
    this.#nowMs = nowMs ?? Date.now;
    this.#connector = new Connector({
      credentials,
      open: (read) => this.#scriptsOf(new Upstash(read, handler), timeouts, moreScripts),
      patienceMs: timeouts.connect,
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
      // A refused token is not a failure of the cache, and no call is sent until there are other credentials.
      if (error instanceof Refused) this.#connector.refuse(scripts);
      else this.#countFailure();
      warn(this.#isOpen() ? 'cache is not asked for a while' : 'cache did not answer', error);
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

  #scriptsOf(upstash: Upstash, { ask, tell }: Timeouts, more = {}): Scripts {
    const within = (timeoutMs: () => number) => () =>
      this.#rehearsalEnd?.aborted === false ? REHEARSAL_MS : Math.min(timeoutMs(), this.#connector.leftMs());
    const asking = upstash.client(within(() => ask));
    const telling = upstash.client(
      within(() => (this.#failures > 0 ? Math.min(tell, TROUBLED_TELL_MS) : tell)),
    );
    const scripts = [
      ...Object.entries(QUESTIONS).map(([name, source]) => [name, asking.createScript(source)]),
      ...Object.entries({ ...TIDINGS, ...more }).map(([name, source]) => [
        name,
        telling.createScript(source),
      ]),
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

function isQuestion(name: AnyScriptName): name is QuestionName {
  return name in QUESTIONS;
}

function warn(message: string, reason: unknown): void {
  console.warn({ message, reason: reason instanceof Error ? reason.message : String(reason) });
}
