import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CacheConnection } from '../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../shared/cache/group-cache.ts';
import { createLedger } from '../../shared/ledger/ledger.ts';
import { Table } from '../../shared/ledger/table.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { connectDynamoDb, engines } from './engines.ts';

/** A process of its own on the same table and cache. */
export interface Interposed {
  readonly tidemark: Tidemark;
  readonly table: Table;
  close(): void;
}

/** Opens the service on a table. `before` is called before each network call of ledger or cache, with its number from 0. */
export function openInterposed(
  { tableName, nowMs, mode }: Pick<Tidemark, 'nowMs' | 'mode'> & { readonly tableName: string },
  before: (call: number) => Promise<void>,
): Interposed {
  let calls = 0;
  const next = () => {
    calls += 1;
    return before(calls - 1);
  };
  const client = connectDynamoDb();
  client.middlewareStack.add(
    (send) => async (args) => {
      await next();
      return send(args);
    },
    { step: 'deserialize' },
  );
  const http = new NodeHttpHandler();
  const connection = new CacheConnection({
    credentials: async () => ({ url: engines.upstashUrl, token: engines.upstashToken }),
    timeoutsMs: { connect: 30_000, read: 30_000, write: 30_000 },
    http: {
      async handle(request, options) {
        await next();
        return http.handle(request, options);
      },
    },
  });
  return {
    tidemark: {
      ledger: createLedger(client, { tableName, membersIndexName: 'members', messageRetentionDays: 90 }),
      cache: new GroupCache(connection, DEFAULT_GROUP_CACHE),
      nowMs,
      mode,
    },
    table: new Table(client, tableName),
    close() {
      client.destroy();
      http.destroy();
    },
  };
}
