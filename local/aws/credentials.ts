import type { Secrets } from './secrets.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The name, in a data directory's secrets, of the access key that owns its database. */
export const OWNER_ACCESS_KEY = 'access-key-id';

/**
 * The access key that owns the ledger's database. DynamoDB Local separates databases by access key and checks no
 * signature. Only the stack uses it, because no policy limits a caller with this key.
 */
export function ledgerOwner(secrets: Pick<Secrets, 'generate'>): Credentials {
  return ownerWith(secrets.generate(OWNER_ACCESS_KEY, 32));
}

/** The owner's credentials. DynamoDB Local accepts any secret for an access key. */
export function ownerWith(accessKeyId: string): Credentials {
  return { accessKeyId, secretAccessKey: 'unchecked' };
}

/** Returns the credentials with a name. Generates them if there are none yet. */
export function credentialsOf(secrets: Pick<Secrets, 'generate'>, name: string): Credentials {
  return {
    accessKeyId: secrets.generate(`${name}-access-key-id`, 32),
    secretAccessKey: secrets.generate(`${name}-secret-access-key`, 40),
  };
}
