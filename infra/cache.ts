import { UPSTASH_SECRET_ARN } from '../shared/contract/environment.ts';
import type { TidemarkFunction } from './function.ts';

/** Upstash Redis. It is not in AWS: the stack has only the secret with its URL and token. */
export class Cache {
  readonly #secretArn: string;

  constructor(secretArn: string) {
    this.#secretArn = secretArn;
  }

  /** Lets a function read the cache's URL and token. */
  allow(user: TidemarkFunction): void {
    user.addEnvironment(UPSTASH_SECRET_ARN, this.#secretArn);
    user.allow(['secretsmanager:GetSecretValue'], this.#secretArn);
  }
}
