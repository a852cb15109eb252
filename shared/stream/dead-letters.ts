import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import type { Item } from '../ledger/items.ts';
import { RecentRecords } from './recent-records.ts';
import type { StreamRecord, UnreadableRecord } from './stream-records.ts';

/** The dead-letter queue of a function that reads the stream. */
export interface DeadLetterQueue {
  /** The function that the records in the queue belong to. */
  readonly functionName: string;
  /** Throws if the queue does not accept the message. */
  send(message: string): Promise<void>;
}

/** The most bytes that every queue accepts in one message. */
const MAX_BYTES = 262_144;

const CONCURRENT_SENDS = 10;

/** The most reasons in one log line. */
const MOST_LOGGED = 10;

/** An instance remembers at most this many records that it has sent. */
const REMEMBERED = 10_000;

/**
 * Sends unreadable records of the stream to the dead-letter queue, where they wait for a person and block no others.
 */
export class DeadLetters {
  readonly #queue: DeadLetterQueue;
  /** Lambda may repeat a batch because another record failed: these records are not sent again. */
  readonly #sent = new RecentRecords(REMEMBERED);

  constructor(queue: DeadLetterQueue) {
    this.#queue = queue;
  }

  /**
   * Sends records to the queue at the first try, since repeating would not help. Resolves to the sequence numbers of
   * the records that the queue did not accept.
   */
  async setAside(unreadable: readonly UnreadableRecord[]): Promise<string[]> {
    const fresh = unreadable.filter(({ record }) => !this.#sent.has(record.sequenceNumber));
    if (fresh.length === 0) return [];
    console.error({
      message: 'records that cannot be read go to the dead-letter queue',
      count: fresh.length,
      reasons: fresh.slice(0, MOST_LOGGED).map(({ reason }) => reason),
    });
    const failed: string[] = [];
    let isRefused = false;
    await inParallel(fresh, CONCURRENT_SENDS, async ({ record, reason }) => {
      // After one failure the others are not sent: they would only wait for the same failure.
      const isTaken = !isRefused && (await this.#send(record, reason));
      if (isTaken) return;
      isRefused = true;
      failed.push(record.sequenceNumber);
    });
    return failed;
  }

  async #send(record: StreamRecord, reason: string): Promise<boolean> {
    try {
      await this.#queue.send(messageOf(this.#queue.functionName, record, reason));
    } catch (error) {
      console.error({ message: 'the dead-letter queue did not take a record', error: loggedError(error) });
      return false;
    }
    if (record.sequenceNumber) this.#sent.add(record.sequenceNumber);
    return true;
  }
}

/**
 * The message for a record, with all that a person needs to find the item and to repeat the record:
 * `{"Records":[<record>]}` is an event for the function. A record that is too large for a message is cut:
 * `clippedRecord` has the beginning of its text.
 */
function messageOf(functionName: string, record: StreamRecord, reason: string): string {
  const { sequenceNumber, before, after } = record;
  const about = { functionName, reason, sequenceNumber, key: keyOf(after ?? before) };
  const images = { ...(after && { NewImage: after }), ...(before && { OldImage: before }) };
  const replayed = { dynamodb: { SequenceNumber: sequenceNumber, ...images } };
  const whole = asciiJson({ ...about, record: replayed });
  if (whole.length <= MAX_BYTES) return whole;
  const room = MAX_BYTES - asciiJson({ ...about, clippedRecord: '' }).length;
  // Inside a JSON string each quote and each backslash takes two bytes.
  return asciiJson({ ...about, clippedRecord: asciiJson(replayed).slice(0, Math.floor(room / 2)) });
}

function keyOf(item: Item | null) {
  return { PK: item?.PK?.S ?? null, SK: item?.SK?.S ?? null };
}

/** JSON in ASCII. SQS refuses some other characters, at every try. In ASCII one character is also one byte. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
