import { LineFile } from '../../data/line-file.ts';

export interface Message {
  readonly id: string;
  readonly queueName: string;
  readonly body: string;
  /** The attributes of type String. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly sentAtMs: number;
  /** The time of its arrival in this queue. In a dead-letter queue this is later than the time when it was sent. */
  readonly arrivedAtMs: number;
  /** The reason for which it is in a dead-letter queue; '' in other queues. */
  readonly reason: string;
  readonly receiveCount: number;
  readonly firstReceivedAtMs: number | null;
  readonly visibleAtMs: number;
  /** Whether a function is processing it. Meanwhile time passes as on AWS; the pauses afterwards are shorter. */
  readonly isHeld: boolean;
}

type Line = { readonly put: Message } | { readonly gone: string };

/** The file is compacted when it has this many more lines than four times the messages. */
const SPARE_LINES = 20_000;

/** The messages of all queues. Their file is a log of changes, so that a change costs one line. */
export class MessageStore {
  readonly #messages = new Map<string, Message>();
  readonly #file: LineFile<Line>;
  #lines = 0;

  constructor(file: string) {
    this.#file = new LineFile(file, (lines) => {
      for (const line of lines) {
        if ('put' in line) this.#messages.set(line.put.id, line.put);
        else this.#messages.delete(line.gone);
      }
      return this.#currentLines();
    });
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
    this.#file.close();
  }

  #append(line: Line): void {
    this.#file.append(line);
    this.#lines += 1;
    if (this.#lines > 4 * this.#messages.size + SPARE_LINES) this.#file.replace(this.#currentLines());
  }

  /** Writes one line for each message, without earlier changes. */
  #currentLines(): Line[] {
    this.#lines = this.#messages.size;
    return [...this.#messages.values()].map((message) => ({ put: message }));
  }
}
