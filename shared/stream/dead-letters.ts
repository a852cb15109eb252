import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import type { Item } from '../ledger/items.ts';
import { RecentRecords } from './recent-records.ts';
import type { StreamRecord, UnreadableRecord } from './stream-records.ts';

/** The dead-letter queue of the function that reads the stream. */
export interface DeadLetterQueue {
  /** The function whose records wait there. */
  readonly functionName: string;
  /** Throws where the queue does not take the message. */
  send(message: string): Promise<void>;
}

/** The most bytes that every queue takes in one message. */
const MAX_BYTES = 262_144;

const CONCURRENT_SENDS = 10;

/** The most reasons in one line of the log. */
const MOST_LOGGED = 10;

/** The most records of which an instance remembers that it has sent them. */
const REMEMBERED = 10_000;

/** The records of the stream that cannot be read: they wait for a person, and hold up no other record. */
export class DeadLetters {
  readonly #queue: DeadLetterQueue;
  /** A batch that is tried again for another record's sake does not send these again. */
  readonly #sent = new RecentRecords(REMEMBERED);

  constructor(queue: DeadLetterQueue) {
    this.#queue = queue;
  }

  /**
   * Sends records to the queue at once, since trying them again would mend nothing. Resolves to the sequence numbers of
   * those that the queue did not take.
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
      // After one refusal the others would only wait for the same one.
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
 * What a person needs to find the item and to try the record again: `{"Records":[<record>]}` is an event that the
 * function can be invoked with. A record too large for a message is there as the beginning of its text.
 */
function messageOf(functionName: string, record: StreamRecord, reason: string): string {
  const { sequenceNumber, before, after } = record;
  const about = { functionName, reason, sequenceNumber, key: keyOf(after ?? before) };
  const images = { ...(after && { NewImage: after }), ...(before && { OldImage: before }) };
  const replayed = { dynamodb: { SequenceNumber: sequenceNumber, ...images } };
  const whole = asciiJson({ ...about, record: replayed });
  if (whole.length <= MAX_BYTES) return whole;
  const room = MAX_BYTES - asciiJson({ ...about, clippedRecord: '' }).length;
  // Within a text each quote and each backslash takes two bytes.
  return asciiJson({ ...about, clippedRecord: asciiJson(replayed).slice(0, Math.floor(room / 2)) });
}

function keyOf(item: Item | null) {
  return { PK: item?.PK?.S ?? null, SK: item?.SK?.S ?? null };
}

/** SQS refuses some characters, and would go on refusing them. In ASCII none is left, and a character is a byte. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
