import { CacheConnection } from '../../shared/cache/connection.ts';
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
import type { MembershipMode } from '../../shared/operations/move-forward.ts';
import type { Stores } from '../../shared/operations/stores.ts';
import { variable } from './environment.ts';
import { createSecretsClient, readSecret } from './secret.ts';

/** The stores as every function of the service uses them. `prepare` connects them while the function still starts. */
export function createStores(): Stores {
  return {
    ledger: createLedger(createLedgerClient(), {
      tableName: variable(TABLE_NAME),
      membersIndexName: variable(MEMBERS_INDEX_NAME),
      messageRetentionDays: Number(variable(MESSAGE_RETENTION_DAYS)),
    }),
    cache: createCache(),
    nowMs: Date.now,
  };
}

function createCache(): GroupCache {
  const secrets = createSecretsClient();
  const arn = variable(UPSTASH_SECRET_ARN);
  const credentials = async () => credentialsIn(await readSecret(secrets, arn));
  return new GroupCache(new CacheConnection({ credentials }));
}

export function membershipMode(): MembershipMode {
  const mode = variable(MEMBERSHIP);
  if (mode !== 'strict' && mode !== 'open')
    throw new Error(`${MEMBERSHIP} must be strict or open, not ${mode}`);
  return mode;
}
