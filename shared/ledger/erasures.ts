import type { Erasure, Subject } from '../domain/erasure.ts';
import { type Item, readItem } from './items.ts';
import { erasureKey, type Key } from './keys.ts';
import { removeItem } from './removal.ts';
import { anyOf, equals, isAbsent, isBelow, type Table } from './table.ts';

/**
 * The erasures that are under way: one item for each, which exists until nothing is left. Its write starts the work and its
 * removal becomes the event, both through the stream.
 */
export class Erasures {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * Begins an erasure. If one is under way already, it begins again: what was stored since then is erased too, and its work
   * is started again. One write.
   */
  async begin(subject: Subject, nowMs: number): Promise<void> {
    const begunAt = { N: String(nowMs) };
    await this.#table.update({
      key: erasureKey(subject),
      set: { kind: { S: 'erasure' }, ...subjectItem(subject), begunAt },
      conditions: [anyOf(isAbsent, isBelow('begunAt', begunAt))],
    });
  }

  /** Null if there is none: it is done. Throws `UnreadableItem` for a broken item. */
  async read(key: Key): Promise<Erasure | null> {
    const item = await this.#table.get(key);
    if (!item) return null;
    const stored = readItem(item);
    if (stored.kind !== 'erasure') throw new Error(`the item is no erasure: ${key.PK.S} ${key.SK.S}`);
    return stored.erasure;
  }

  /** Ends an erasure, unless it has begun again. */
  async end({ subject, begunAtMs }: Erasure): Promise<void> {
    await removeItem(this.#table, erasureKey(subject), [equals('begunAt', { N: String(begunAtMs) })]);
  }
}

/** The attributes that name the subject. The index of members has no item that lacks either of its two attributes. */
function subjectItem(subject: Subject): Item {
  return subject.kind === 'user' ? { userId: { S: subject.userId } } : { groupId: { S: subject.groupId } };
}
