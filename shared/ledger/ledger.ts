import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { boundsOf } from '../aws/bounds.ts';
import { lean } from '../aws/lean.ts';
import { NOBODY } from '../domain/ids.ts';
import { END } from '../domain/position.ts';
import { Heads } from './heads.ts';
import { Memberships } from './memberships.ts';
import { Messages } from './messages.ts';
import { Table } from './table.ts';

export interface LedgerOptions {
  readonly tableName: string;
  readonly membersIndexName: string;
  /** How long a message is kept, in days. */
  readonly messageRetentionDays: number;
}

/** The durable record of the read state. It is always right; the cache is a copy of it. */
export interface Ledger {
  readonly memberships: Memberships;
  readonly messages: Messages;
  readonly heads: Heads;
  /** Makes one small read. Throws if the ledger does not answer. */
  probe(): Promise<void>;
  /** Makes a write that fails its own condition, before the first request. It stores nothing and costs a write unit. */
  rehearseWrite(): Promise<void>;
}

export function createLedger(client: DynamoDBClient, options: LedgerOptions): Ledger {
  const table = new Table(client, options.tableName);
  const memberships = new Memberships(table, options.membersIndexName);
  return {
    memberships,
    messages: new Messages(table, options.messageRetentionDays),
    heads: new Heads(table),
    probe: async () => {
      await table.get({ PK: { S: 'HEALTH' }, SK: { S: 'HEALTH' } });
    },
    rehearseWrite: async () => {
      await memberships.raise(NOBODY, END, 0);
    },
  };
}

/** Three tries of two seconds end well before a route's timeout, so the caller gets a 503 and not a timeout. */
export function createLedgerClient(): DynamoDBClient {
  return lean(new DynamoDBClient(boundsOf({ attempts: 3, timeoutMs: 2_000 })));
}
