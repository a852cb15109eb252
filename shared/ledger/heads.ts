import { type Head, NO_HEAD, type ReceiptsPolicy } from '../domain/head.ts';
import type { GroupId } from '../domain/ids.ts';
import { type Position, START } from '../domain/position.ts';
import { corrupt, type Item, readItem } from './items.ts';
import { headKey } from './keys.ts';
import { passingOver } from './passed-over.ts';
import {
  anyOf,
  type Clause,
  copyIfAbsent,
  differs,
  equals,
  exists,
  increment,
  isAbsent,
  isBelow,
  lacks,
  type Table,
} from './table.ts';

/** What a call sets for a group. Undefined stays as it is. */
export interface SettingsPatch {
  readonly parentId?: GroupId | null | undefined;
  readonly receipts?: ReceiptsPolicy | undefined;
}

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
      conditions: [anyOf(isAbsent, isBelow('position', reached))],
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

  /**
   * Changes settings in one write without a read before it, and returns the head. If nothing of it is new, nothing is
   * written. 'conflict' if the group has another parent than the given one, which null also is: then nothing changes.
   */
  async set(groupId: GroupId, patch: SettingsPatch): Promise<Head | 'conflict'> {
    const { parentId } = patch;
    const news = newsIn(patch);
    const head = news.length === 0 ? await this.read(groupId) : await this.#write(groupId, patch, news);
    const isConflict = parentId !== undefined && head.settings.parentId !== parentId;
    return isConflict ? 'conflict' : head;
  }

  async #write(
    groupId: GroupId,
    { parentId, receipts }: SettingsPatch,
    news: readonly Clause[],
  ): Promise<Head> {
    const parent = parentId ? { S: parentId } : null;
    const isDefault = receipts === NO_HEAD.settings.receipts;
    const { item } = await this.#table.update({
      key: headKey(groupId),
      set: {
        ...{ kind: { S: 'head' }, groupId: { S: groupId } },
        ...(parent && { parentId: parent }),
        ...(receipts && !isDefault && { receipts: { S: receipts } }),
      },
      setIfAbsent: { position: { S: START } },
      computed: [increment('settings')],
      ...(isDefault && { remove: ['receipts'] }),
      conditions: [
        ...(parent ? [anyOf(lacks('parentId'), equals('parentId', parent))] : []),
        ...(parentId === null ? [lacks('parentId')] : []),
        anyOf(...news),
      ],
    });
    // Without an item only the default policy fails its condition: it is not new.
    return item ? headIn(item) : NO_HEAD;
  }
}

/** For each value of a patch, the condition that it is new. No value means no parent, which is never new. */
function newsIn({ parentId, receipts }: SettingsPatch): Clause[] {
  const news: Clause[] = [];
  if (parentId) news.push(lacks('parentId'));
  if (receipts === NO_HEAD.settings.receipts) news.push(exists('receipts'));
  else if (receipts) news.push(lacks('receipts'), differs('receipts', { S: receipts }));
  return news;
}

/** Throws if there is no item: a condition that an existing head failed has returned it. */
function headIn(item: Item | null): Head {
  if (!item) throw new Error('the ledger returned no head');
  const stored = readItem(item);
  if (stored.kind !== 'head') throw corrupt(item, 'kind');
  return stored.head;
}
