import { type Head, NO_HEAD } from '../domain/head.ts';
import type { GroupId } from '../domain/ids.ts';
import { type Position, START } from '../domain/position.ts';
import { corrupt, type Item, readItem } from './items.ts';
import { headKey } from './keys.ts';
import { passingOver } from './passed-over.ts';
import { anyOf, copyIfAbsent, isBelow, lacks, type Table } from './table.ts';

/** The heads of groups. They stay when messages expire, and never go back. */
export class Heads {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async read(groupId: GroupId): Promise<Head> {
    const item = await this.#table.get(headKey(groupId));
    return item ? headIn(item) : NO_HEAD;
  }

  /** The heads of groups. A group whose head cannot be read is left out. */
  async readMany(groupIds: readonly GroupId[]): Promise<Map<GroupId, Head>> {
    const items = await this.#table.getMany(groupIds.map(headKey));
    const found = new Map(items.map((item) => [item.PK?.S, item]));
    return passingOver(async (passedOver) => {
      const heads = new Map<GroupId, Head>();
      for (const groupId of groupIds) {
        const item = found.get(headKey(groupId).PK.S);
        const stored = item && passedOver.read(item, 'head');
        if (!item || stored) heads.set(groupId, stored?.head ?? NO_HEAD);
      }
      return heads;
    });
  }

  /**
   * Raises the head to the position of a recorded message, if it is below it, and returns the head. One write. Only a
   * message that is not silent, recorded after a newer silent one, takes a second.
   */
  async raise(groupId: GroupId, position: Position, isSilent: boolean): Promise<Head> {
    const key = headKey(groupId);
    const reached = { S: position };
    const { item } = await this.#table.update({
      key,
      set: { kind: { S: 'head' }, groupId: { S: groupId }, position: reached },
      // Without `loud`, the newest message is not silent: all conditions compare with the item before this write.
      ...(isSilent ? { computed: [copyIfAbsent('loud', 'position', { S: START })] } : { remove: ['loud'] }),
      conditions: [anyOf(lacks('position'), isBelow('position', reached))],
    });
    const head = headIn(item);
    if (isSilent || head.loud >= position) return head;
    const later = await this.#table.update({
      key,
      set: { loud: reached },
      conditions: [isBelow('loud', reached)],
    });
    return headIn(later.item);
  }
}

/** Throws if there is no item: a condition that an existing head failed has returned it. */
function headIn(item: Item | null): Head {
  if (!item) throw new Error('the ledger returned no head');
  const stored = readItem(item);
  if (stored.kind !== 'head') throw corrupt(item, 'kind');
  return stored.head;
}
