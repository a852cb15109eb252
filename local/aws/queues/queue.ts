import { randomUUID } from 'node:crypto';
import { DueHeap } from './due-heap.ts';
import type { Message, MessageStore } from './message-store.ts';

export interface QueueDefinition {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  readonly visibilityTimeoutSeconds: number;
  readonly redrive: { readonly deadLetters: string; readonly maxReceiveCount: number } | null;
}

export interface QueueClock {
  readonly nowMs: () => number;
  /** The factor by which pauses are shorter than on AWS. */
  readonly speed: number;
}

export interface Sent {
  readonly body: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** How long the message cannot be received. */
  readonly delaySeconds?: number;
  /** The reason for which it comes to a dead-letter queue. */
  readonly reason?: string;
}

export interface Received {
  readonly message: Message;
  /** Valid only for this receive. */
  readonly receiptHandle: string;
}

export interface Receiving {
  readonly most: number;
  /** @default the queue's visibility timeout */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /** Whether a function of the stack gets the messages. Call `settle` when the function has ended. */
  readonly isForFunction?: boolean;
}

/** The longest delay of setTimeout. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A standard queue of SQS. While a function processes a message, time passes as on AWS. Pauses between tries are shorter.
 * The delay of a message is not: a function chooses it to match a time that passes elsewhere, such as that of a key in
 * the cache.
 */
export class Queue {
  readonly definition: QueueDefinition;
  readonly #store: MessageStore;
  readonly #clock: QueueClock;
  readonly #giveUp: (message: Message, reason: string) => void;
  /** Ids by the time when they can be received. An entry is ignored if the time of its message has changed since. */
  readonly #due = new DueHeap<{ readonly id: string; readonly dueMs: number }>();
  readonly #waiting = new Set<() => void>();

  constructor(
    definition: QueueDefinition,
    store: MessageStore,
    clock: QueueClock,
    giveUp: (message: Message, reason: string) => void,
  ) {
    this.definition = definition;
    this.#store = store;
    this.#clock = clock;
    this.#giveUp = giveUp;
    for (const message of this.messages()) {
      // The function that was processing it ended with the earlier run.
      if (message.isHeld) this.#release(message);
      else this.#schedule(message);
    }
  }

  messages(): Message[] {
    return [...this.#store.all].filter(({ queueName }) => queueName === this.definition.name);
  }

  send({ body, attributes = {}, delaySeconds = 0, reason = '' }: Sent): Message {
    const nowMs = this.#clock.nowMs();
    return this.#put({
      id: randomUUID(),
      queueName: this.definition.name,
      ...{ body, attributes, reason },
      ...{ sentAtMs: nowMs, arrivedAtMs: nowMs },
      ...{ receiveCount: 0, firstReceivedAtMs: null, isHeld: false },
      visibleAtMs: nowMs + this.#delayed(delaySeconds),
    });
  }

  /** Adds a message that another queue gave up. It keeps its id and the time when it was sent. */
  adopt(message: Message, reason: string): void {
    const nowMs = this.#clock.nowMs();
    this.#put({
      ...message,
      queueName: this.definition.name,
      ...{ reason, arrivedAtMs: nowMs, visibleAtMs: nowMs, isHeld: false, receiveCount: 0 },
    });
  }

  receive({ most, visibilityTimeoutSeconds, isForFunction = false }: Receiving): Received[] {
    const nowMs = this.#clock.nowMs();
    const { redrive, visibilityTimeoutSeconds: own } = this.definition;
    const received: Received[] = [];
    while (received.length < most) {
      const due = this.#due.take(nowMs);
      if (!due) break;
      const message = this.#store.get(due.id);
      if (message?.queueName !== this.definition.name || message.visibleAtMs !== due.dueMs) continue;
      if (redrive && message.receiveCount >= redrive.maxReceiveCount) {
        this.#giveUp(message, `received ${redrive.maxReceiveCount} times`);
        continue;
      }
      const taken = this.#put({
        ...message,
        receiveCount: message.receiveCount + 1,
        firstReceivedAtMs: message.firstReceivedAtMs ?? nowMs,
        visibleAtMs: nowMs + (visibilityTimeoutSeconds ?? own) * 1_000,
        isHeld: isForFunction,
      });
      received.push({ message: taken, receiptHandle: `${taken.id}:${taken.receiveCount}` });
    }
    return received;
  }

  /** Hides a message for a duration from now on. Returns whether the message was in flight with this handle. */
  changeVisibility(receiptHandle: string, seconds: number): boolean {
    const message = this.#inFlight(receiptHandle);
    if (!message) return false;
    this.#put({ ...message, isHeld: false, visibleAtMs: this.#clock.nowMs() + this.#paused(seconds) });
    return true;
  }

  /** Deletes a message. An old handle deletes nothing. */
  delete(receiptHandle: string): void {
    const message = this.#ofHandle(receiptHandle);
    if (message) this.#store.delete(message.id);
  }

  /** The function has ended without deleting the message: the rest of its visibility timeout is a pause. */
  settle(receiptHandle: string): void {
    const message = this.#ofHandle(receiptHandle);
    if (message?.isHeld) this.#release(message);
  }

  /** Removes and returns all messages that can be received, for a move to another queue. */
  drain(): Message[] {
    const nowMs = this.#clock.nowMs();
    const drained = this.messages().filter(({ visibleAtMs }) => visibleAtMs <= nowMs);
    for (const { id } of drained) this.#store.delete(id);
    return drained;
  }

  /** Resolves when there may be a message to receive, at the deadline, or when the signal aborts. */
  async wait(deadlineMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const untilMs = Math.min(deadlineMs, this.#due.nextDueMs ?? Number.POSITIVE_INFINITY);
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const ms = Math.max(0, Math.min(untilMs - this.#clock.nowMs(), LONGEST_TIMER_MS));
      const timer = setTimeout(done, ms).unref();
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #release(message: Message): void {
    const nowMs = this.#clock.nowMs();
    const leftMs = Math.max(0, message.visibleAtMs - nowMs) / this.#clock.speed;
    this.#put({ ...message, isHeld: false, visibleAtMs: nowMs + leftMs });
  }

  #put(message: Message): Message {
    this.#store.put(message);
    this.#schedule(message);
    return message;
  }

  #schedule({ id, visibleAtMs }: Message): void {
    const before = this.#due.nextDueMs;
    this.#due.add(visibleAtMs, { id, dueMs: visibleAtMs });
    if (before === null || visibleAtMs < before) for (const wake of this.#waiting) wake();
  }

  #paused(seconds: number): number {
    return (seconds * 1_000) / this.#clock.speed;
  }

  /** A delay is shorter here too, but not below a second: frames wait as long as the cache keeps their gate closed. */
  #delayed(seconds: number): number {
    return Math.max(Math.min(seconds, 1) * 1_000, this.#paused(seconds));
  }

  #inFlight(receiptHandle: string): Message | undefined {
    const message = this.#ofHandle(receiptHandle);
    return message && message.visibleAtMs > this.#clock.nowMs() ? message : undefined;
  }

  #ofHandle(receiptHandle: string): Message | undefined {
    const [id = '', count] = receiptHandle.split(':');
    const message = this.#store.get(id);
    return message?.queueName === this.definition.name && String(message.receiveCount) === count
      ? message
      : undefined;
  }
}
