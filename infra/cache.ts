import { UPSTASH_SECRET_ARN } from '../shared/contract/environment.ts';
import type { TidemarkFunction } from './function.ts';

/** Upstash Redis. It lives outside of AWS: all that the stack has of it is the secret that lets one in. */
export class Cache {
  readonly #secretArn: string;

  constructor(secretArn: string) {
    this.#secretArn = secretArn;
  }

  /** Lets a function read where the cache is and the token for it. */
  allow(user: TidemarkFunction): void {
    user.addEnvironment(UPSTASH_SECRET_ARN, this.#secretArn);
    user.allow(['secretsmanager:GetSecretValue'], this.#secretArn);
  }
}
