import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../command/log.ts';
import type { Journal } from '../data/journal.ts';

export interface Notification {
  readonly receivedAt: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Unchanged, so that its signature can be verified. */
  readonly body: string;
}

export interface SinkAnswer {
  readonly status: number;
  readonly delayMs: number;
}

/** The local stack's own receiver of webhooks. It stores every post, whatever status it answers. */
export class WebhookSink {
  readonly #notifications: Journal<Notification>;
  readonly #log: Log;
  #answer: SinkAnswer = { status: 200, delayMs: 0 };

  constructor(notifications: Journal<Notification>, log: Log) {
    this.#notifications = notifications;
    this.#log = log;
  }

  get notifications(): readonly Notification[] {
    return this.#notifications.entries;
  }

  get answer(): SinkAnswer {
    return this.#answer;
  }

  /** Sets the answer for all later posts, until the stack stops. */
  answerWith(answer: SinkAnswer): void {
    this.#answer = answer;
    this.#log.line(`webhook answers ${answer.status} after ${answer.delayMs} ms from now on`);
  }

  /** Stores a post, waits for the delay that is set, and returns the status to answer. */
  async receive(distinct: NodeJS.Dict<string[]>, body: string): Promise<number> {
    const { status, delayMs } = this.#answer;
    const headers = Object.fromEntries(
      Object.entries(distinct).map(([name, values]) => [name, (values ?? []).join(',')]),
    );
    this.#notifications.append({ receivedAt: new Date().toISOString(), headers, body });
    this.#log.line(`webhook received ${headers['webhook-id'] ?? 'a request without an id'}`);
    // Does not keep the process alive when the stack stops.
    if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
    return status;
  }
}
