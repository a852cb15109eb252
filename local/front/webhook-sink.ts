import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../command/log.ts';
import type { Journal } from '../data/journal.ts';

export interface Notification {
  readonly receivedAt: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it came, so that its signature can be checked. */
  readonly body: string;
}

export interface SinkAnswer {
  readonly status: number;
  readonly delayMs: number;
}

/** The receiver of webhooks that the local stack has. It keeps all that it receives, whatever it answers. */
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

  /** From now on it answers so, until the stack ends. */
  answerWith(answer: SinkAnswer): void {
    this.#answer = answer;
    this.#log.line(`webhook answers ${answer.status} after ${answer.delayMs} ms from now on`);
  }

  /** Returns the status of its answer, after the time that the answer takes. */
  async receive(distinct: NodeJS.Dict<string[]>, body: string): Promise<number> {
    const { status, delayMs } = this.#answer;
    const headers = Object.fromEntries(
      Object.entries(distinct).map(([name, values]) => [name, (values ?? []).join(',')]),
    );
    this.#notifications.append({ receivedAt: new Date().toISOString(), headers, body });
    this.#log.line(`webhook received ${headers['webhook-id'] ?? 'a request without an id'}`);
    // A stack that stops does not wait for it.
    if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
    return status;
  }
}
