import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { boundsOf } from '../aws/bounds.ts';
import { Memberships } from './memberships.ts';
import { Messages } from './messages.ts';
import { Table } from './table.ts';

export interface LedgerOptions {
  readonly tableName: string;
  readonly membersIndexName: string;
  /** How long a message is kept, in days. */
  readonly messageRetentionDays: number;
}

/** The durable record. What it says is true. */
export interface Ledger {
  readonly memberships: Memberships;
  readonly messages: Messages;
  /** Asks the ledger something small; throws where it does not answer. */
  probe(): Promise<void>;
}

export function createLedger(client: DynamoDBClient, options: LedgerOptions): Ledger {
  const table = new Table(client, options.tableName);
  return {
    memberships: new Memberships(table, options.membersIndexName),
    messages: new Messages(table, options.messageRetentionDays),
    probe: async () => {
      await table.get({ PK: { S: 'HEALTH' }, SK: { S: 'HEALTH' } });
    },
  };
}

/** Three tries of two seconds each end well within a route's time, so that the caller hears a 503 and not a timeout. */
export function createLedgerClient(): DynamoDBClient {
  return new DynamoDBClient(boundsOf({ attempts: 3, timeoutMs: 2_000 }));
}
