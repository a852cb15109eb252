import { CacheConnection, type ConnectionOptions } from '../../shared/cache/connection.ts';
import { GroupCache } from '../../shared/cache/group-cache.ts';
import { credentialsIn } from '../../shared/cache/upstash.ts';
import {
  MEMBERS_INDEX_NAME,
  MEMBERSHIP,
  MESSAGE_RETENTION_DAYS,
  TABLE_NAME,
  UPSTASH_SECRET_ARN,
} from '../../shared/contract/environment.ts';
import { createLedger, createLedgerClient } from '../../shared/ledger/ledger.ts';
import type { MembershipMode, Tidemark } from '../../shared/operations/tidemark.ts';
import { variable } from './environment.ts';
import { createSecretsClient, readSecret } from './secret.ts';

/**
 * What the operations of a function work with. `prepare` connects it while the function still starts. Only a function
 * that marks has to pass the deployment's mode. A function that has clients of its own passes them.
 */
export function createTidemark(
  mode: MembershipMode = 'strict',
  ledger = createLedgerClient(),
  cache = createCacheConnection(),
): Tidemark {
  return {
    ledger: createLedger(ledger, {
      tableName: variable(TABLE_NAME),
      membersIndexName: variable(MEMBERS_INDEX_NAME),
      messageRetentionDays: Number(variable(MESSAGE_RETENTION_DAYS)),
    }),
    cache: new GroupCache(cache),
    nowMs: Date.now,
    mode,
  };
}

/** The connection to the cache, with the scripts of every function and with more of them if they are given. */
export function createCacheConnection(moreScripts?: ConnectionOptions['moreScripts']): CacheConnection {
  const secrets = createSecretsClient();
  const arn = variable(UPSTASH_SECRET_ARN);
  const credentials = async () => credentialsIn(await readSecret(secrets, arn));
  return new CacheConnection({ credentials, ...(moreScripts && { moreScripts }) });
}

export function membershipMode(): MembershipMode {
  const mode = variable(MEMBERSHIP);
  if (mode !== 'strict' && mode !== 'open')
    throw new Error(`${MEMBERSHIP} must be strict or open, not ${mode}`);
  return mode;
}
