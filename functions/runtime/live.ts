import { FrameGates } from '../../shared/cache/frame-gates.ts';
import { LiveCache } from '../../shared/cache/live-cache.ts';
import { LIVE_SCRIPTS } from '../../shared/cache/live-scripts.ts';
import { NO_MESSAGES } from '../../shared/cache/message-range.ts';
import { CONNECTIONS_URL, TABLE_NAME } from '../../shared/contract/environment.ts';
import { NOBODY } from '../../shared/domain/ids.ts';
import { CONNECTION_LIFE_MS, Connections } from '../../shared/ledger/connections.ts';
import { createLedgerClient } from '../../shared/ledger/ledger.ts';
import { Table } from '../../shared/ledger/table.ts';
import type { Live } from '../../shared/live/live.ts';
import { readOwnView } from '../../shared/operations/own-view.ts';
import type { MembershipMode } from '../../shared/operations/tidemark.ts';
import { createCacheConnection, createTidemark } from './composition.ts';
import { variable } from './environment.ts';
import { createSockets } from './sockets.ts';

type LiveStores = Pick<Live, 'tidemark' | 'cache' | 'gates'> & { readonly table: Table };

/** Ledger and cache, with what the cache knows of connections. All parts share one client of the ledger and one of the cache. */
export function createLiveStores(mode?: MembershipMode): LiveStores {
  const client = createLedgerClient();
  const connection = createCacheConnection(LIVE_SCRIPTS);
  const table = new Table(client, variable(TABLE_NAME));
  const tidemark = createTidemark(mode, client, connection);
  return {
    tidemark,
    cache: new LiveCache(connection, { connectionLifeMs: CONNECTION_LIFE_MS, nowMs: tidemark.nowMs }),
    gates: new FrameGates(connection, tidemark.nowMs),
    table,
  };
}

/** What the functions of the WebSocket API work with. */
export function createLive(mode?: MembershipMode): Live & LiveStores {
  const stores = createLiveStores(mode);
  return {
    ...stores,
    connections: new Connections(stores.table),
    sockets: createSockets(variable(CONNECTIONS_URL)),
  };
}

/** Runs what a push reads, for nobody. Writes nothing but how old the cache's note of the connected users is. */
export async function rehearsePushes({ cache, connections, tidemark }: Live): Promise<void> {
  await Promise.all([
    cache.findOnline(NOBODY.groupId, NOBODY.userId, NO_MESSAGES),
    connections.ofUser(NOBODY.userId, tidemark.nowMs()),
    readOwnView(tidemark, NOBODY),
  ]);
}
