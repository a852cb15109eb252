import type { Secrets } from './secrets.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The name under which a data directory keeps the access key that its database belongs to. */
export const OWNER_ACCESS_KEY = 'access-key-id';

/**
 * The access key that owns the ledger's database, since DynamoDB Local separates databases by it and checks no
 * signature. The stack keeps it to itself, since no policy limits a caller that has it.
 */
export function ledgerOwner(secrets: Pick<Secrets, 'generate'>): Credentials {
  return ownerWith(secrets.generate(OWNER_ACCESS_KEY, 32));
}

/** DynamoDB Local takes any secret for an access key. */
export function ownerWith(accessKeyId: string): Credentials {
  return { accessKeyId, secretAccessKey: 'unchecked' };
}

/** The credentials kept under a name, generated where there are none yet. */
export function credentialsOf(secrets: Pick<Secrets, 'generate'>, name: string): Credentials {
  return {
    accessKeyId: secrets.generate(`${name}-access-key-id`, 32),
    secretAccessKey: secrets.generate(`${name}-secret-access-key`, 40),
  };
}
