import type { CacheCredentials } from './upstash.ts';

export interface ConnectorOptions<Connection> {
  /** Reads where Upstash is and its token. Must have a timeout of its own: while it is pending, no other read is made. */
  readonly credentials: () => Promise<CacheCredentials>;
  /** Opens a connection. Throws where the credentials are malformed. */
  readonly open: (credentials: CacheCredentials) => Connection;
  /** How long calls may wait for a connection and its first answer together, in milliseconds. */
  readonly patienceMs: number;
  readonly nowMs: () => number;
}

/** After an attempt that failed, none is made for this long. */
const RETRY_AFTER_MS = 3_000;

/** After credentials were refused, and the secret holds no better ones, none are read for this long. */
const COOL_DOWN_MS = 15_000;

/** The time that calls wait, all together: it begins with the first call that finds no connection. */
interface Patience {
  readonly over: Promise<null>;
  readonly endMs: number;
}

/**
 * Keeps a connection: reads the credentials in the background, and reads them again where they are refused, so that a
 * token can be rotated. One attempt at a time.
 *
 *     attempt ──▶ connection ──refused──▶ attempt ──▶ connection ──refused──▶ cool-down ──▶ attempt ...
 *        └─failed──▶ pause ──▶ attempt       └─the same credentials──▶ cool-down
 *
 * Calls wait for a connection once, together. Then none of them waits until a connection has given an answer: a secret
 * that is silent would otherwise hold up every call of an instance.
 */
export class Connector<Connection> {
  readonly #options: ConnectorOptions<Connection>;
  #current: { readonly connection: Connection; readonly credentials: CacheCredentials } | null = null;
  #attempt: Promise<Connection | null> | null = null;
  #nextAttemptAtMs = 0;
  #patience: Patience | null = null;
  /** The credentials that were refused, while others in their place have not been accepted. */
  #refused: CacheCredentials | null = null;

  constructor(options: ConnectorOptions<Connection>) {
    this.#options = options;
  }

  /** Connects ahead of the first call. Resolves once there is a connection, or the attempt failed; never rejects. */
  async start(): Promise<void> {
    if (!this.#current) await this.#startAttempt();
  }

  /** The connection; null where there is none in time. */
  async connection(): Promise<Connection | null> {
    if (this.#current) return this.#current.connection;
    const attempt = this.#startAttempt();
    if (!attempt) return null;
    this.#patience ??= this.#startPatience();
    return Promise.race([attempt, this.#patience.over]);
  }

  /** What the calls that waited for the connection have left to wait for its answer, in milliseconds. */
  leftMs(): number {
    const left = this.#patience ? this.#patience.endMs - this.#options.nowMs() : 0;
    return left > 0 ? left : Number.POSITIVE_INFINITY;
  }

  /** The connection gave an answer. */
  accept(connection: Connection): void {
    if (connection !== this.#current?.connection) return;
    this.#patience = null;
    this.#refused = null;
  }

  /** The connection's credentials were refused. A call of an earlier connection says nothing about this one. */
  refuse(connection: Connection): void {
    if (connection !== this.#current?.connection) return;
    const { credentials } = this.#current;
    this.#current = null;
    if (this.#refused) {
      this.#coolDown();
      return;
    }
    this.#refused = credentials;
    this.#startAttempt();
  }

  #startAttempt(): Promise<Connection | null> | null {
    if (!this.#attempt && this.#options.nowMs() >= this.#nextAttemptAtMs) {
      this.#attempt = this.#connect().finally(() => {
        this.#attempt = null;
      });
    }
    return this.#attempt;
  }

  async #connect(): Promise<Connection | null> {
    try {
      const credentials = await this.#options.credentials();
      // Nothing was rotated.
      if (this.#refused && isSame(this.#refused, credentials)) {
        this.#coolDown();
        return null;
      }
      const connection = this.#options.open(credentials);
      this.#current = { connection, credentials };
      return connection;
    } catch (error) {
      this.#nextAttemptAtMs = this.#options.nowMs() + RETRY_AFTER_MS;
      const reason = error instanceof Error ? error.message : String(error);
      console.warn({ message: 'the cache could not be connected', reason });
      return null;
    }
  }

  #coolDown(): void {
    this.#refused = null;
    this.#nextAttemptAtMs = this.#options.nowMs() + COOL_DOWN_MS;
    console.warn({ message: 'Upstash refuses the token of the secret' });
  }

  #startPatience(): Patience {
    const { patienceMs, nowMs } = this.#options;
    return {
      over: new Promise((resolve) => {
        setTimeout(resolve, patienceMs, null).unref();
      }),
      endMs: nowMs() + patienceMs,
    };
  }
}

function isSame(one: CacheCredentials, other: CacheCredentials): boolean {
  return one.url === other.url && one.token === other.token;
}
