import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { boundsOf } from '../../shared/aws/bounds.ts';

/** Short: without the cache's secret the ledger answers, and without the webhook's the event is tried again. */
export function createSecretsClient(): SecretsManagerClient {
  return new SecretsManagerClient(boundsOf({ attempts: 2, timeoutMs: 1_000 }));
}

/** The text of a secret. No error names its value. */
export async function readSecret(client: SecretsManagerClient, arn: string): Promise<string> {
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
  if (!SecretString) throw new Error(`the secret ${arn} has no text`);
  return SecretString;
}
