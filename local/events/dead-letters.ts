import { ACCOUNT_ID, REGION, TemplateError } from '../cloudformation/template.ts';
import type { Journal } from './journal.ts';

export interface DeadLetter {
  /** The queue's ARN. */
  readonly queue: string;
  readonly receivedAt: string;
  readonly message: unknown;
  readonly reason: string;
}

/** The dead-letter queues, all in one list. */
export class DeadLetters {
  readonly #journal: Journal<DeadLetter>;
  readonly #queues: ReadonlySet<string>;

  constructor(journal: Journal<DeadLetter>, queueNames: readonly string[]) {
    this.#journal = journal;
    this.#queues = new Set(queueNames);
  }

  get all(): readonly DeadLetter[] {
    return this.#journal.entries;
  }

  /** Throws where there is no such queue: something in the template refers to nothing. */
  check(queue: string): void {
    if (!this.#queues.has(queue.split(':').at(-1) ?? ''))
      throw new TemplateError(`there is no queue ${queue}`);
  }

  /** Takes a message that a function sent. Returns false where there is no such queue. */
  receive(queueUrl: string, body: string): boolean {
    const name = queueUrl.replace(`https://sqs.${REGION}.amazonaws.com/${ACCOUNT_ID}/`, '');
    if (!this.#queues.has(name)) return false;
    const message = messageIn(body);
    const reason = message instanceof Object && 'reason' in message ? String(message.reason) : '';
    this.add(`arn:aws:sqs:${REGION}:${ACCOUNT_ID}:${name}`, message, reason);
    return true;
  }

  add(queue: string, message: unknown, reason: string): void {
    this.#journal.append({ queue, receivedAt: new Date().toISOString(), message, reason });
  }
}

/** A message may be any text. */
function messageIn(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
