import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CacheConnection } from '../../shared/cache/connection.ts';
import { FrameGates } from '../../shared/cache/frame-gates.ts';
import { LiveCache } from '../../shared/cache/live-cache.ts';
import { LIVE_SCRIPTS } from '../../shared/cache/live-scripts.ts';
import type { ServerFrame } from '../../shared/contract/server-frames.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { CONNECTION_LIFE_MS, Connections } from '../../shared/ledger/connections.ts';
import { Table } from '../../shared/ledger/table.ts';
import type { DueFrame, FrameQueue, Live, Posted } from '../../shared/live/live.ts';
import { connectDynamoDb, engines, freshPrefix } from './engines.ts';
import { type CountedTidemark, openTidemark } from './tidemark.ts';

/** Live on the real engines. Connections and the queue are kept in memory. */
export interface TestLive extends Live {
  readonly tidemark: CountedTidemark;
  readonly table: Table;
  /** What was posted, in order. */
  readonly posted: { readonly connectionId: string; readonly frame: ServerFrame }[];
  readonly closed: string[];
  /** What waits in the queue. */
  readonly due: DueFrame[];
  readonly queue: FrameQueue;
  /** What posting to a connection results in, instead of `sent`. */
  readonly results: Map<string, Posted>;
  /** Opens a connection of a user. Returns its id. */
  connect(userId: UserId, options?: { readonly tokenExpiresAtMs?: number }): Promise<string>;
  close(): Promise<void>;
}

export async function openLive(): Promise<TestLive> {
  const tidemark = await openTidemark();
  const client: DynamoDBClient = connectDynamoDb();
  const table = new Table(client, tidemark.tableName);
  const connection = new CacheConnection({
    credentials: async () => ({ url: engines.upstashUrl, token: engines.upstashToken }),
    timeoutsMs: { connect: 30_000, read: 30_000, write: 30_000 },
    moreScripts: LIVE_SCRIPTS,
  });
  const cache = new LiveCache(connection, { connectionLifeMs: CONNECTION_LIFE_MS, nowMs: Date.now });
  const gates = new FrameGates(connection, Date.now);
  const connections = new Connections(table);
  const posted: TestLive['posted'] = [];
  const closed: string[] = [];
  const due: DueFrame[] = [];
  const results = new Map<string, Posted>();
  return {
    ...{ tidemark, table, cache, gates, connections, posted, closed, due, results },
    sockets: {
      async post(connectionId, frame) {
        const result = results.get(connectionId) ?? 'sent';
        if (result === 'sent') posted.push({ connectionId, frame });
        return result;
      },
      async close(connectionId) {
        closed.push(connectionId);
      },
    },
    queue: {
      async add(frame) {
        due.push(frame);
      },
    },
    async connect(userId, { tokenExpiresAtMs = Date.now() + 3_600_000 } = {}) {
      const connectionId = freshPrefix('c');
      const connectedAtMs = Date.now();
      await connections.add(userId, { connectionId, connectedAtMs, tokenExpiresAtMs });
      await cache.noteOnline(userId, connectedAtMs);
      return connectionId;
    },
    async close() {
      client.destroy();
      await tidemark.close();
    },
  };
}
