import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { boundsOf } from '../../shared/aws/bounds.ts';

/**
 * Short timeouts: without the cache's secret the ledger answers, and without the webhook's secret the event is retried.
 */
export function createSecretsClient(): SecretsManagerClient {
  return new SecretsManagerClient(boundsOf({ attempts: 2, timeoutMs: 1_000 }));
}

/** Returns the text of a secret. No error contains it. */
export async function readSecret(client: SecretsManagerClient, arn: string): Promise<string> {
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
  if (!SecretString) throw new Error(`the secret ${arn} has no text`);
  return SecretString;
}
