import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CacheConnection } from '../../shared/cache/connection.ts';
import { GroupCache } from '../../shared/cache/group-cache.ts';
import { LiveCache } from '../../shared/cache/live-cache.ts';
import { LIVE_SCRIPTS } from '../../shared/cache/live-scripts.ts';
import type { TidemarkEvent } from '../../shared/contract/event.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { erase } from '../../shared/erasure/erase.ts';
import type { ErasureJob } from '../../shared/erasure/erasure-job.ts';
import { CONNECTION_LIFE_MS } from '../../shared/ledger/connections.ts';
import { Erasures } from '../../shared/ledger/erasures.ts';
import { GroupItems } from '../../shared/ledger/group-items.ts';
import { createLedger } from '../../shared/ledger/ledger.ts';
import { Table } from '../../shared/ledger/table.ts';
import { UserItems } from '../../shared/ledger/user-items.ts';
import { DeadLetters } from '../../shared/stream/dead-letters.ts';
import type { ErasureStarts } from '../../shared/stream/erasures.ts';
import { project } from '../../shared/stream/project.ts';
import { publishMoves } from '../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../shared/stream/recent-records.ts';
import { connectDynamoDb, engines } from './engines.ts';
import { openLive, type TestLive } from './live.ts';
import { KeptLetters } from './stream-records.ts';
import { openTableStream } from './table-stream.ts';

/** For tests in which no erasure begins. */
export const NO_ERASURES: ErasureStarts = {
  start: async () => {
    throw new Error('no erasure begins in this test');
  },
  started: new RecentRecords(0),
};

/** Erasures on the real engines. Queue and bus are in memory, and pauses of the queue take no time. */
export interface TestErasures {
  readonly live: TestLive;
  readonly items: UserItems;
  readonly erasures: Erasures;
  /** The events on the bus, in order. */
  readonly events: TidemarkEvent[];
  /** The jobs that wait in the queue, each with its delay in seconds. */
  readonly jobs: (readonly [job: ErasureJob, delaySeconds: number])[];
  /** What the erasure's clock is ahead of this machine's, in milliseconds. */
  aheadMs: number;
  /** Whether the cache does not answer the jobs. */
  isCacheDown: boolean;
  nowMs(): number;
  /** Handles what the stream has, as the two functions on it do. */
  followStream(): Promise<void>;
  /**
   * Does the first job of the queue. If it fails, it comes back. The process dies before the call of ledger, cache, queue or
   * connection with this number, from 0: this call and all later ones have no effect.
   *
   * @returns the number of its calls
   */
  workOnce(diesBefore?: number, runMs?: number): Promise<number>;
  /** Goes on until stream and queue are empty. Delays pass at once. */
  finish(): Promise<void>;
  /** The items of the table in which a text occurs, as `PK SK`. */
  itemsWith(text: string): Promise<string[]>;
  /** The keys of Redis in which a text occurs, in their names or in what they hold. */
  keysWith(text: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function openErasures(): Promise<TestErasures> {
  const live = await openLive();
  const { tidemark, table } = live;
  const { tableName, redis } = tidemark;
  const stream = await openTableStream(tableName);
  const events: TidemarkEvent[] = [];
  const jobs: [ErasureJob, number][] = [];
  const publisher = {
    publish: async (published: readonly TidemarkEvent[]) => {
      events.push(...published);
      return [];
    },
  };
  const common = {
    publisher,
    deadLetters: new DeadLetters(new KeptLetters()),
  };
  const publication = { ...common, published: new RecentRecords(10_000) };
  const projection = {
    ...{ ...common, tidemark, published: new RecentRecords(10_000) },
    erasures: {
      start: async (key: ErasureJob['key']) => void jobs.push([{ key, waitedSinceMs: null }, 0]),
      started: new RecentRecords(10_000),
    },
  };

  const self: TestErasures = {
    ...{ live, events, jobs, aheadMs: 0, isCacheDown: false },
    items: new UserItems(table),
    erasures: new Erasures(table),
    nowMs: () => Date.now() + self.aheadMs,

    async followStream() {
      const records = await stream.take();
      const failed = [...(await project(projection, records)), ...(await publishMoves(publication, records))];
      if (failed.length > 0) throw new Error('records of the stream failed');
    },

    async workOnce(diesBefore = Number.POSITIVE_INFINITY, runMs = 15_000) {
      const [first] = jobs.splice(0, 1);
      if (!first) throw new Error('no job is waiting');
      let calls = 0;
      const live = () => {
        calls += 1;
        return calls <= diesBefore;
      };
      const client = connectDynamoDb();
      client.middlewareStack.add(
        (next) => (args) => {
          if (!live()) throw new Error('the process is dead');
          return next(args);
        },
        { step: 'deserialize' },
      );
      const http = new NodeHttpHandler();
      const connection = new CacheConnection({
        credentials: async () => ({ url: engines.upstashUrl, token: engines.upstashToken }),
        timeoutsMs: { connect: 30_000, read: 30_000, write: 30_000 },
        moreScripts: LIVE_SCRIPTS,
        http: {
          handle(request, options) {
            if (!live()) throw new Error('the process is dead');
            if (self.isCacheDown) throw new Error('the cache is down');
            return http.handle(request, options);
          },
        },
      });
      const [ownTable, nowMs] = [new Table(client, tableName), self.nowMs];
      const options = { tableName, membersIndexName: 'members', messageRetentionDays: 90 };
      const erasing = {
        tidemark: {
          ...{ ledger: createLedger(client, options), cache: new GroupCache(connection) },
          ...{ nowMs, mode: 'strict' as const },
        },
        items: new UserItems(ownTable),
        groupItems: new GroupItems(ownTable, 'members'),
        erasures: new Erasures(ownTable),
        live: {
          cache: new LiveCache(connection, { connectionLifeMs: CONNECTION_LIFE_MS, nowMs }),
          sockets: {
            close: async (connectionId: string) => {
              if (live()) self.live.closed.push(connectionId);
            },
          },
        },
        queue: {
          add: async (job: ErasureJob, delaySeconds: number) => {
            if (!live()) throw new Error('the process is dead');
            jobs.push([job, delaySeconds]);
          },
        },
        runMs,
      };
      try {
        await erase(erasing, first[0]);
      } catch (error) {
        jobs.push([first[0], 0]);
        if (calls <= diesBefore) throw error;
      } finally {
        client.destroy();
        http.destroy();
      }
      return calls;
    },

    async finish() {
      for (;;) {
        await self.followStream();
        const [job] = jobs;
        if (!job) return;
        self.aheadMs += job[1] * 1_000;
        await self.workOnce();
      }
    },

    async itemsWith(text) {
      const client = connectDynamoDb();
      const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }));
      client.destroy();
      return Items.filter((item) => JSON.stringify(item).includes(text)).map(
        ({ PK, SK }) => `${PK?.S} ${SK?.S}`,
      );
    },

    async keysWith(text) {
      const found: string[] = [];
      for (const key of await redis.keys('*')) {
        if (`${key} ${await contentsOf(key)}`.includes(text)) found.push(key);
      }
      return found.sort();
    },

    async close() {
      stream.close();
      await live.close();
    },
  };

  async function contentsOf(key: string): Promise<string> {
    switch (await redis.type(key)) {
      case 'hash':
        return JSON.stringify(await redis.hgetall(key));
      case 'zset':
        return JSON.stringify(await redis.zrange(key, 0, -1));
      default:
        return String(await redis.get(key));
    }
  }
  return self;
}

/** Begins an erasure as the route does. */
export async function beginErasure(service: TestErasures, userId: UserId): Promise<void> {
  await service.erasures.begin({ kind: 'user', userId }, service.nowMs());
}
