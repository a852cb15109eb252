import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { UsageError } from '../../command/usage-error.ts';
import { writePrivateFile } from '../../data/private-files.ts';

export interface Message {
  readonly id: string;
  readonly queueName: string;
  readonly body: string;
  /** Attributes of type String. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly sentAtMs: number;
  /** When it came to this queue, which is later where it is a dead-letter queue. */
  readonly arrivedAtMs: number;
  /** Why it is in a dead-letter queue; '' elsewhere. */
  readonly reason: string;
  readonly receiveCount: number;
  readonly firstReceivedAtMs: number | null;
  readonly visibleAtMs: number;
  /** Whether a function has it, which works in real time. Its pauses, which begin afterwards, are sped up. */
  readonly isHeld: boolean;
}

type Line = { readonly put: Message } | { readonly gone: string };

/** Lines beyond four times the messages are worth a new file only where there are many of them. */
const SPARE_LINES = 20_000;

/**
 * The messages of all queues. Each change is on disk, as far as the kernel, before the method returns; the file is a log
 * of changes, which is written anew at the start and whenever most of it is of the past.
 */
export class MessageStore {
  readonly #file: string;
  readonly #messages = new Map<string, Message>();
  #descriptor: number;
  #lines = 0;

  constructor(file: string) {
    this.#file = file;
    if (existsSync(file)) this.#read();
    this.#descriptor = this.#rewrite();
  }

  get all(): Iterable<Message> {
    return this.#messages.values();
  }

  get(id: string): Message | undefined {
    return this.#messages.get(id);
  }

  put(message: Message): void {
    this.#messages.set(message.id, message);
    this.#append({ put: message });
  }

  delete(id: string): void {
    if (this.#messages.delete(id)) this.#append({ gone: id });
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #append(line: Line): void {
    appendFileSync(this.#descriptor, `${JSON.stringify(line)}\n`);
    this.#lines += 1;
    if (this.#lines <= 4 * this.#messages.size + SPARE_LINES) return;
    closeSync(this.#descriptor);
    this.#descriptor = this.#rewrite();
  }

  #read(): void {
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    for (const [index, text] of lines.entries()) {
      if (text === '') continue;
      const line = this.#parse(text, index === lines.length - 1);
      if (line && 'put' in line) this.#messages.set(line.put.id, line.put);
      if (line && 'gone' in line) this.#messages.delete(line.gone);
    }
  }

  /** A killed run may have left half a line at the end: what it told was not acknowledged. */
  #parse(text: string, isLast: boolean): Line | null {
    try {
      return JSON.parse(text) as Line;
    } catch (error) {
      if (isLast) return null;
      throw new UsageError(`${this.#file} is half written; start once with --fresh.`, { cause: error });
    }
  }

  #rewrite(): number {
    const lines = [...this.#messages.values()].map((message) => `${JSON.stringify({ put: message })}\n`);
    writePrivateFile(this.#file, lines.join(''));
    this.#lines = lines.length;
    return openSync(this.#file, 'a');
  }
}
