import { DeleteItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { UserId } from '../domain/ids.ts';
import type { Item } from './items.ts';
import { AFTER_ALL_CONNECTIONS, BEFORE_ALL_CONNECTIONS, connectionKey, userPartition } from './keys.ts';
import type { Table } from './table.ts';

/** An open WebSocket of a user. */
export interface Connection {
  readonly connectionId: string;
  readonly connectedAtMs: number;
  readonly tokenExpiresAtMs: number;
}

/** API Gateway closes a connection after two hours. Its clock may differ from ours, hence the slack. */
export const CONNECTION_LIFE_MS = 2 * 3_600_000 + 10 * 60_000;

/** Which connections each user has. They are no read state: nothing else reads these items. */
export class Connections {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** May be repeated. */
  async add(userId: UserId, { connectionId, connectedAtMs, tokenExpiresAtMs }: Connection): Promise<void> {
    await this.#table.update({
      key: connectionKey(userId, connectionId),
      set: {
        kind: { S: 'connection' },
        connectionId: { S: connectionId },
        connectedAt: { N: String(connectedAtMs) },
        tokenExpiresAt: { N: String(tokenExpiresAtMs) },
        expiresAt: { N: String(Math.ceil((connectedAtMs + CONNECTION_LIFE_MS) / 1000)) },
      },
      conditions: [],
    });
  }

  /**
   * The connections of a user, the oldest first, strongly consistent: one that was opened just now is among them. DynamoDB
   * may take days to remove expired items, so those are left out here.
   */
  async ofUser(userId: UserId, nowMs: number): Promise<Connection[]> {
    const found: Connection[] = [];
    let start: Item | undefined;
    do {
      const command: QueryCommand = new QueryCommand({
        TableName: this.#table.name,
        KeyConditionExpression: 'PK = :user AND SK BETWEEN :first AND :last',
        ExpressionAttributeValues: {
          ':user': userPartition(userId),
          ':first': BEFORE_ALL_CONNECTIONS,
          ':last': AFTER_ALL_CONNECTIONS,
        },
        ConsistentRead: true,
        ...(start && { ExclusiveStartKey: start }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#table.call(() => this.#table.client.send(command));
      found.push(...Items.flatMap((item) => connectionIn(item) ?? []));
      start = LastEvaluatedKey;
    } while (start);
    return found.filter(({ connectedAtMs }) => connectedAtMs + CONNECTION_LIFE_MS > nowMs).sort(byAge);
  }

  /** Also if there is no such connection. */
  async remove(userId: UserId, connectionId: string): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: this.#table.name,
      Key: connectionKey(userId, connectionId),
    });
    await this.#table.call(() => this.#table.client.send(command));
  }
}

/** The oldest first. Of two that were opened in the same millisecond, the order is always the same. */
function byAge(one: Connection, other: Connection): number {
  return one.connectedAtMs - other.connectedAtMs || (one.connectionId < other.connectionId ? -1 : 1);
}

/** Null if it cannot be read: nobody can be reached over it, and it expires by itself. */
export function connectionIn({ connectionId, connectedAt, tokenExpiresAt, SK }: Item): Connection | null {
  const connection = {
    connectionId: connectionId?.S ?? '',
    connectedAtMs: Number(connectedAt?.N),
    tokenExpiresAtMs: Number(tokenExpiresAt?.N),
  };
  const { connectedAtMs, tokenExpiresAtMs } = connection;
  const isSound = Number.isSafeInteger(connectedAtMs) && Number.isSafeInteger(tokenExpiresAtMs);
  if (connection.connectionId && isSound) return connection;
  console.error({ message: 'a connection of the ledger cannot be read', key: SK?.S });
  return null;
}
