import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { Belonging } from '../domain/belonging.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { type Connection, connectionIn } from './connections.ts';
import { belongingOf, corrupt, type Item, readItem, UnreadableItem } from './items.ts';
import { type Key, storedKey, USER_ITEMS, type UserItemKind, userPartition } from './keys.ts';
import type { Table } from './table.ts';

/** What an item of a user holds, by its kind. */
interface Contents {
  /** `expiresAtMs` is null for a current member. */
  readonly membership: {
    readonly groupId: GroupId;
    readonly belonging: Belonging;
    readonly expiresAtMs: number | null;
  };
  readonly connection: { readonly connection: Connection; readonly expiresAtMs: number | null };
}

/** An item of a user's partition. */
export type UserItem =
  | {
      readonly [Kind in UserItemKind]: { readonly kind: Kind; readonly key: Key } & Contents[Kind];
    }[UserItemKind]
  /** It is broken, or another version stored it. */
  | { readonly kind: 'unreadable'; readonly key: Key; readonly reason: string };

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
}

const READERS: { readonly [Kind in UserItemKind]: (item: Item) => Contents[Kind] } = {
  membership(item) {
    const { groupId } = readItem(item);
    return { groupId, belonging: belongingOf(item), expiresAtMs: expiryOf(item) };
  },
  connection(item) {
    const connection = connectionIn(item);
    if (!connection) throw corrupt(item, 'connection');
    return { connection, expiresAtMs: expiryOf(item) };
  },
};

function userItemOf(item: Item): UserItem {
  const key = storedKey(item.PK?.S ?? '', item.SK?.S ?? '');
  const kind = Object.keys(USER_ITEMS).find((one) => one === item.kind?.S) as UserItemKind | undefined;
  try {
    if (!kind) throw corrupt(item, 'kind');
    return { kind, key, ...READERS[kind](item) } as UserItem;
  } catch (error) {
    if (!(error instanceof UnreadableItem)) throw error;
    return { kind: 'unreadable', key, reason: error.message };
  }
}

function expiryOf({ expiresAt }: Item): number | null {
  const seconds = Number(expiresAt?.N);
  return Number.isSafeInteger(seconds) ? seconds * 1_000 : null;
}
