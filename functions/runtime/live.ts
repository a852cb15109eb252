import { CacheConnection } from '../../shared/cache/connection.ts';
import { GroupCache } from '../../shared/cache/group-cache.ts';
import { LiveCache } from '../../shared/cache/live-cache.ts';
import { LIVE_SCRIPTS } from '../../shared/cache/live-scripts.ts';
import { CONNECTIONS_URL, TABLE_NAME } from '../../shared/contract/environment.ts';
import { CONNECTION_LIFE_MS, Connections } from '../../shared/ledger/connections.ts';
import { createLedgerClient } from '../../shared/ledger/ledger.ts';
import { Table } from '../../shared/ledger/table.ts';
import type { Live } from '../../shared/live/live.ts';
import { createLedger, readCacheCredentials } from './composition.ts';
import { variable } from './environment.ts';
import { createSockets } from './sockets.ts';

/** What the functions of the WebSocket API work with. The ledger, the cache and their clients are shared by all parts. */
export function createLive(): Live & { readonly table: Table } {
  const client = createLedgerClient();
  const table = new Table(client, variable(TABLE_NAME));
  const cache = new CacheConnection({ credentials: readCacheCredentials(), moreScripts: LIVE_SCRIPTS });
  const nowMs = Date.now;
  return {
    stores: { ledger: createLedger(client), cache: new GroupCache(cache), nowMs },
    cache: new LiveCache(cache, { connectionLifeMs: CONNECTION_LIFE_MS, nowMs }),
    connections: new Connections(table),
    sockets: createSockets(variable(CONNECTIONS_URL)),
    table,
  };
}
