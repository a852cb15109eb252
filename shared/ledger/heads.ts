import { unavailable } from '../domain/errors.ts';
import { type Head, isAfterEpoch, NO_HEAD, type ReceiptsPolicy } from '../domain/head.ts';
import type { GroupId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import { START } from '../domain/position.ts';
import { corrupt, expiryOfEnded, type Item, readItem } from './items.ts';
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

/** The attributes of a head that end with a deletion of the group. `expiresAt` is there only between a deletion and the next use. */
const REMOVED_NAMES = ['loud', 'parentId', 'receipts', 'settings'];
const EXPIRES_AT = 'expiresAt';

/** A deletion gives up after it has lost to other writes of the head this many times in a row. */
const MAX_ATTEMPTS = 10;

/** The heads of groups. They stay when messages expire, and never go back within one epoch. */
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
   * Raises the head to the position of a message, if it is below it, and returns the head. Nothing changes if the message was
   * recorded up to the epoch of the returned head. One write. Only a message that is not silent, recorded after a newer
   * silent one, takes a second.
   */
  async raise(
    groupId: GroupId,
    { position, isSilent, recordedAt }: Pick<Message, 'position' | 'isSilent' | 'recordedAt'>,
  ): Promise<Head> {
    const key = headKey(groupId);
    const reached = { S: position };
    const isAfterEpochInItem = anyOf(lacks('epoch'), isBelow('epoch', { N: String(recordedAt) }));
    const { item } = await this.#table.update({
      key,
      set: { kind: { S: 'head' }, groupId: { S: groupId }, position: reached },
      // Without `loud`, the newest message is not silent: all conditions compare with the item before this write.
      ...(isSilent && { computed: [copyIfAbsent('loud', 'position', { S: START })] }),
      remove: [...(isSilent ? [] : ['loud']), EXPIRES_AT],
      conditions: [anyOf(isAbsent, isBelow('position', reached)), isAfterEpochInItem],
    });
    const head = headIn(item);
    if (isSilent || head.loud >= position || !isAfterEpoch(head, recordedAt)) return head;
    const later = await this.#table.update({
      key,
      set: { loud: reached },
      conditions: [isBelow('loud', reached), isAfterEpochInItem],
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

  /**
   * Begins the group again, without messages and settings: what is of a time up to the new epoch no longer counts. Returns
   * the head, which expires if the group is not used again. One write.
   */
  async delete(groupId: GroupId, nowMs: number): Promise<Head> {
    let epoch = nowMs;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { isBegun, head } = await this.#begin(groupId, epoch, nowMs, []);
      if (isBegun) return head;
      // A clock that is behind must not make the epoch go back.
      epoch = head.epoch + 1;
    }
    throw unavailable(new Error('a group was deleted faster than it could be written'));
  }

  /**
   * Moves the epoch of a group that was just deleted to the time of now. If a message has raised the head since it was read,
   * that message too is of a time up to the epoch, and the group begins again. One write, and another for each time that the
   * head is raised meanwhile.
   *
   * @param deleted the head as `delete` has returned it
   */
  async moveEpoch(groupId: GroupId, deleted: Head, nowMs: () => number): Promise<Head> {
    let known = deleted;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      // The time is taken after the head was read: the message that raised it had its time before.
      const now = nowMs();
      const isUnraised = equals('position', { S: known.position });
      const { isBegun, head } = await this.#begin(groupId, Math.max(now, known.epoch + 1), now, [isUnraised]);
      if (isBegun) return head;
      known = head;
    }
    throw unavailable(new Error('a group was used faster than it could be deleted'));
  }

  async #begin(
    groupId: GroupId,
    epoch: number,
    nowMs: number,
    conditions: readonly Clause[],
  ): Promise<{ readonly isBegun: boolean; readonly head: Head }> {
    const { applied, item } = await this.#table.update({
      key: headKey(groupId),
      set: {
        ...{ kind: { S: 'head' }, groupId: { S: groupId }, position: { S: START } },
        epoch: { N: String(epoch) },
        [EXPIRES_AT]: expiryOfEnded(nowMs),
      },
      remove: REMOVED_NAMES,
      conditions: [anyOf(lacks('epoch'), isBelow('epoch', { N: String(epoch) })), ...conditions],
    });
    return { isBegun: applied, head: headIn(item) };
  }

  /** Keeps the head of a deleted group that is used again from expiring. */
  async keep(groupId: GroupId): Promise<void> {
    await this.#table.update({
      key: headKey(groupId),
      set: { kind: { S: 'head' } },
      remove: [EXPIRES_AT],
      conditions: [exists(EXPIRES_AT)],
    });
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
      remove: [...(isDefault ? ['receipts'] : []), EXPIRES_AT],
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
