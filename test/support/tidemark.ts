import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll } from '@jest/globals';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Redis } from 'ioredis';
import { CacheConnection } from '../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../shared/domain/ids.ts';
import { createLedger } from '../../shared/ledger/ledger.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { connectDynamoDb, createLedgerTable, engines, freshPrefix } from './engines.ts';

/** Tidemark on the real engines. It records each of its network calls. */
export interface CountedTidemark extends Tidemark {
  readonly tableName: string;
  /** The cache's engine itself; what goes this way is not counted. */
  readonly redis: Redis;
  /** The ledger's commands and the cache's requests since the last call of `callsSince`, in order. */
  takeCalls(): string[];
  close(): Promise<void>;
}

export interface TidemarkOptions {
  readonly capacity?: number;
  /** As many as the capacity where that is given. */
  readonly unreadLimit?: number;
  /** What another instance already uses; without it a table of its own. */
  readonly tableName?: string;
  /** Another Redis than the one that the tests share. */
  readonly engine?: CacheEngine;
}

/** A Redis, and Upstash's REST API in front of it. */
export interface CacheEngine {
  readonly redisUrl: string;
  readonly upstashUrl: string;
  readonly upstashToken: string;
}

/** One for all tests of a file, or of a `describe`, with a table of its own. It can be used from the hooks on. */
export function withTidemark(): CountedTidemark {
  const tidemark = tidemarkWithTable({});
  beforeAll(() => createLedgerTable(tidemark.tableName));
  afterAll(() => tidemark.close());
  return tidemark;
}

/** One that the caller closes. With a name of a table it is another instance beside the one that has created it. */
export async function openTidemark(options: TidemarkOptions = {}): Promise<CountedTidemark> {
  if (options.tableName) return tidemarkOn(options.tableName, options);
  const tidemark = tidemarkWithTable(options);
  await createLedgerTable(tidemark.tableName);
  return tidemark;
}

/** One whose table is to be created, and is deleted when it is closed. */
function tidemarkWithTable(options: TidemarkOptions): CountedTidemark {
  const tableName = freshPrefix('ledger');
  const tidemark = tidemarkOn(tableName, options);
  return {
    ...tidemark,
    async close() {
      await deleteTable(tableName);
      await tidemark.close();
    },
  };
}

function tidemarkOn(tableName: string, options: TidemarkOptions): CountedTidemark {
  const { capacity = DEFAULT_GROUP_CACHE.capacity } = options;
  const { redisUrl, upstashUrl, upstashToken } = options.engine ?? engines;
  const { unreadLimit = options.capacity ?? DEFAULT_GROUP_CACHE.unreadLimit } = options;
  const client = connectDynamoDb();
  let calls: string[] = [];
  client.middlewareStack.add(
    (next, context) => (args) => {
      calls.push(`ledger ${String(context.commandName).replace('Command', '')}`);
      return next(args);
    },
    // Behind the retries, so that each try counts.
    { step: 'deserialize' },
  );
  const redis = new Redis(redisUrl, { lazyConnect: true });
  const http = new NodeHttpHandler();
  const connection = new CacheConnection({
    credentials: async () => ({ url: upstashUrl, token: upstashToken }),
    // A machine that runs the tests beside two engines may stall for longer than a caller should wait.
    timeoutsMs: { connect: 30_000, read: 30_000, write: 30_000 },
    http: {
      handle(request, options) {
        calls.push('cache');
        return http.handle(request, options);
      },
    },
  });
  return {
    ledger: createLedger(client, { tableName, membersIndexName: 'members', messageRetentionDays: 90 }),
    cache: new GroupCache(connection, { ...DEFAULT_GROUP_CACHE, capacity, unreadLimit }),
    nowMs: Date.now,
    mode: 'strict',
    tableName,
    redis,
    takeCalls() {
      const taken = calls;
      calls = [];
      return taken;
    },
    async close() {
      redis.disconnect();
      http.destroy();
      client.destroy();
    },
  };
}

async function deleteTable(tableName: string): Promise<void> {
  const client = connectDynamoDb();
  await client.send(new DeleteTableCommand({ TableName: tableName }));
  client.destroy();
}

const GROUP_KEYS = ['members', 'messages', 'receipts', 'head', 'joined', 'doubts', 'early'];

/** Takes a group out of the cache, or these of its keys. */
export async function forget(redis: Redis, groupId: GroupId, names = GROUP_KEYS): Promise<void> {
  await redis.del(names.map((name) => `tm:{${groupId}}:${name}`));
}

export const aGroup = (): GroupId => freshPrefix('g') as GroupId;
export const aUser = (name = 'u'): UserId => freshPrefix(name) as UserId;
