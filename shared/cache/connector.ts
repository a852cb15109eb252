import type { CacheCredentials } from './upstash.ts';

export interface ConnectorOptions<Connection> {
  /** Reads Upstash's URL and token. Must have its own timeout: while one read is pending, there is no other. */
  readonly credentials: () => Promise<CacheCredentials>;
  /** Opens a connection. Throws if the credentials are malformed. */
  readonly open: (credentials: CacheCredentials) => Connection;
  /** How long calls may wait for a connection and its first answer together, in milliseconds. */
  readonly maxWaitMs: number;
  readonly nowMs: () => number;
}

/** The pause after a failed attempt. */
const RETRY_AFTER_MS = 3_000;

/** The pause after credentials were refused and the secret holds no others. */
const COOL_DOWN_MS = 15_000;

/** The time that all calls wait together. It begins with the first call that finds no connection. */
interface SharedWait {
  readonly over: Promise<null>;
  readonly endMs: number;
}

/**
 * Keeps a connection. Reads the credentials in the background, and again if they are refused, so that a token can be
 * rotated. There is one attempt at a time.
 *
 *     attempt ──▶ connection ──refused──▶ attempt ──▶ connection ──refused──▶ cool-down ──▶ attempt ...
 *        └─failed──▶ pause ──▶ attempt       └─the same credentials──▶ cool-down
 *
 * Calls wait for a connection once, all together. Then no call waits until a connection has replied: a secret that does
 * not answer would otherwise delay every call of an instance.
 */
export class Connector<Connection> {
  readonly #options: ConnectorOptions<Connection>;
  #current: { readonly connection: Connection; readonly credentials: CacheCredentials } | null = null;
  #attempt: Promise<Connection | null> | null = null;
  #nextAttemptAtMs = 0;
  #wait: SharedWait | null = null;
  /** The credentials that were refused last, until others are accepted. */
  #refused: CacheCredentials | null = null;

  constructor(options: ConnectorOptions<Connection>) {
    this.#options = options;
  }

  /** Connects before the first call. Resolves when there is a connection or the attempt failed; never rejects. */
  async start(): Promise<void> {
    if (!this.#current) await this.#startAttempt();
  }

  /** Returns the connection; null if there is none in time. */
  async connection(): Promise<Connection | null> {
    if (this.#current) return this.#current.connection;
    const attempt = this.#startAttempt();
    if (!attempt) return null;
    this.#wait ??= this.#startWait();
    return Promise.race([attempt, this.#wait.over]);
  }

  /**
   * The time left for a reply to the calls that waited for the connection, in milliseconds. Infinity for other calls.
   */
  leftMs(): number {
    const left = this.#wait ? this.#wait.endMs - this.#options.nowMs() : 0;
    return left > 0 ? left : Number.POSITIVE_INFINITY;
  }

  /** Call this when the connection has replied. */
  accept(connection: Connection): void {
    if (connection !== this.#current?.connection) return;
    this.#wait = null;
    this.#refused = null;
  }

  /** Call this when the connection's credentials were refused. Has no effect for an earlier connection. */
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
      // The secret has not changed: the token was not rotated.
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

  #startWait(): SharedWait {
    const { maxWaitMs, nowMs } = this.#options;
    return {
      over: new Promise((resolve) => {
        setTimeout(resolve, maxWaitMs, null).unref();
      }),
      endMs: nowMs() + maxWaitMs,
    };
  }
}

function isSame(one: CacheCredentials, other: CacheCredentials): boolean {
  return one.url === other.url && one.token === other.token;
}
