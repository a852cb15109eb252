import type { Secrets } from './secrets.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * Who may call what a local stack plays of AWS. All have the same access key, since DynamoDB Local separates
 * databases by it and checks no signature; their secrets tell them apart where signatures are checked.
 */
export interface StackCredentials {
  readonly functions: Credentials;
  readonly backEnd: Credentials;
  /** Whoever deploys may look at what a deployment needs. */
  readonly deployer: Credentials;
}

export function stackCredentials(secrets: Secrets): StackCredentials {
  const accessKeyId = secrets.generate('access-key-id', 32);
  const of = (name: string) => ({ accessKeyId, secretAccessKey: secrets.generate(name, 40) });
  return {
    functions: of('functions-secret-access-key'),
    backEnd: of('back-end-secret-access-key'),
    deployer: of('deployer-secret-access-key'),
  };
}
