import { DeleteItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { Belonging } from '../domain/belonging.ts';
import type { Erasure } from '../domain/erasure.ts';
import { type GroupId, type Member, parseGroupId, type UserId } from '../domain/ids.ts';
import type { Departure } from '../domain/membership.ts';
import { type Connection, connectionIn } from './connections.ts';
import {
  belongingOf,
  CURRENT_MEMBER,
  corrupt,
  ENDED_SECONDS,
  expiryOfEnded,
  FORMER_MEMBER,
  type Item,
  readItem,
  type StoredItem,
  UnreadableItem,
} from './items.ts';
import { type Key, membershipKey, storedKey, USER_ITEMS, type UserItemKind, userPartition } from './keys.ts';
import { removeItem } from './removal.ts';
import { equals, lacks, type Table } from './table.ts';

/** What an item of a user holds, by its kind. */
interface Contents {
  readonly membership: {
    readonly groupId: GroupId;
    readonly belonging: Belonging;
    /** Null for a current member, as the next one. */
    readonly expiresAtMs: number | null;
    /** When the departure was written, in whole seconds. */
    readonly writtenAtMs: number | null;
  };
  readonly connection: { readonly connection: Connection; readonly expiresAtMs: number | null };
  readonly erasure: { readonly erasure: Erasure };
}

/** An item of a user's partition. */
export type UserItem =
  | {
      readonly [Kind in UserItemKind]: { readonly kind: Kind; readonly key: Key } & Contents[Kind];
    }[UserItemKind]
  /** It is broken, or another version stored it. */
  | {
      readonly kind: 'unreadable';
      readonly key: Key;
      readonly reason: string;
      /** If it is a membership: its group, and the attributes besides its key. */
      readonly broken: { readonly groupId: GroupId; readonly names: readonly string[] } | null;
    };

/** Items in the order of their keys. The next page begins after `next`, a sort key; null if there is none. */
export interface UserItemsPage {
  readonly items: readonly UserItem[];
  readonly next: string | null;
}

/** All that the ledger stores under a user, whatever it is. */
export class UserItems {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** One page of at most `limit` items, strongly consistent. It may be shorter without being the last one. */
  async page(userId: UserId, limit: number, after: string | null): Promise<UserItemsPage> {
    const partition = userPartition(userId);
    const command = new QueryCommand({
      TableName: this.#table.name,
      KeyConditionExpression: 'PK = :user',
      ExpressionAttributeValues: { ':user': partition },
      ConsistentRead: true,
      Limit: limit,
      ...(after !== null && { ExclusiveStartKey: { PK: partition, SK: { S: after } } }),
    });
    const { Items = [], LastEvaluatedKey } = await this.#table.call(() => this.#table.client.send(command));
    return { items: Items.map(userItemOf), next: LastEvaluatedKey?.SK?.S ?? null };
  }

  /** Also if there is no such item. */
  async remove(key: Key): Promise<void> {
    const command = new DeleteItemCommand({ TableName: this.#table.name, Key: key });
    await this.#table.call(() => this.#table.client.send(command));
  }

  /** Removes a departure. False if the item is another one by now. */
  async removeDeparture(member: Member, generation: number): Promise<boolean> {
    const outcome = await removeItem(this.#table, membershipKey(member), [
      lacks(CURRENT_MEMBER),
      equals('generation', { N: String(generation) }),
    ]);
    return outcome !== 'kept';
  }

  /** Replaces a broken membership, whose attributes have these names, by a departure. */
  async replaceByDeparture(
    member: Member,
    names: readonly string[],
    { generation }: Departure,
    nowMs: number,
  ): Promise<void> {
    const set: Item = {
      kind: { S: 'membership' },
      groupId: { S: member.groupId },
      [FORMER_MEMBER]: { S: member.userId },
      generation: { N: String(generation) },
      expiresAt: expiryOfEnded(nowMs),
    };
    const remove = names.filter((name) => !(name in set));
    await this.#table.update({ key: membershipKey(member), set, remove, conditions: [] });
  }
}

const READERS: { readonly [Kind in UserItemKind]: (item: Item) => Contents[Kind] } = {
  membership(item) {
    const { groupId } = storedIn(item, 'membership');
    const expiresAtMs = expiryOf(item);
    const writtenAtMs = expiresAtMs === null ? null : expiresAtMs - ENDED_SECONDS * 1_000;
    return { groupId, belonging: belongingOf(item), expiresAtMs, writtenAtMs };
  },
  connection(item) {
    const connection = connectionIn(item);
    if (!connection) throw corrupt(item, 'connection');
    return { connection, expiresAtMs: expiryOf(item) };
  },
  erasure: (item) => storedIn(item, 'erasure'),
};

function storedIn<Kind extends StoredItem['kind']>(item: Item, kind: Kind) {
  const stored = readItem(item);
  if (stored.kind !== kind) throw corrupt(item, 'kind');
  return stored as Extract<StoredItem, { readonly kind: Kind }>;
}

function userItemOf(item: Item): UserItem {
  const key = storedKey(item.PK?.S ?? '', item.SK?.S ?? '');
  const kind = Object.keys(USER_ITEMS).find((one) => one === item.kind?.S) as UserItemKind | undefined;
  try {
    if (!kind) throw corrupt(item, 'kind');
    return { kind, key, ...READERS[kind](item) } as UserItem;
  } catch (error) {
    if (!(error instanceof UnreadableItem)) throw error;
    return { kind: 'unreadable', key, reason: error.message, broken: brokenMembership(item) };
  }
}

/** Only here a key is parsed: the group of a broken item stands nowhere else, and the cache may still have its member. */
function brokenMembership(item: Item) {
  const { membership: prefix } = USER_ITEMS;
  const sortKey = item.SK?.S ?? '';
  const groupId = sortKey.startsWith(prefix) ? parseGroupId(sortKey.slice(prefix.length)) : null;
  if (!groupId) return null;
  return { groupId, names: Object.keys(item).filter((name) => name !== 'PK' && name !== 'SK') };
}

function expiryOf({ expiresAt }: Item): number | null {
  const seconds = Number(expiresAt?.N);
  return Number.isSafeInteger(seconds) ? seconds * 1_000 : null;
}
