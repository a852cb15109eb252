import { randomBytes } from 'node:crypto';
import { readJsonFile, writePrivateFile } from '../data/private-files.ts';
import { resourcesOf } from './cloudformation/properties.ts';
import { ACCOUNT_ID, REGION, type Template } from './cloudformation/template.ts';

/** The secret with Upstash's URL and token, as in the deployment's settings. */
export const UPSTASH_SECRET_ARN = `arn:aws:secretsmanager:${REGION}:${ACCOUNT_ID}:secret:upstash-local1`;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The secrets of a data directory, by their names. */
export function readSecrets(file: string): Record<string, string> {
  const remedy = 'remove it and start once with --fresh, which creates new secrets and a new database';
  return readJsonFile<Record<string, string>>(file, remedy) ?? {};
}

/** The secrets of a data directory. A generated secret never changes, so that a webhook's receiver can keep it. */
export class Secrets {
  readonly #file: string;
  readonly #kept: Record<string, string>;
  readonly #values = new Map<string, string>();

  constructor(file: string) {
    this.#file = file;
    this.#kept = readSecrets(file);
  }

  /** Returns the secret with a name. Generates it if there is none yet. */
  generate(name: string, length: number): string {
    const kept = this.#kept[name];
    if (kept !== undefined) return kept;
    const text = randomText(length);
    this.#kept[name] = text;
    writePrivateFile(this.#file, JSON.stringify(this.#kept));
    return text;
  }

  set(arn: string, value: string): void {
    this.#values.set(arn, value);
  }

  get(arn: string): string | undefined {
    return this.#values.get(arn);
  }

  /** Generates the secrets of the template. */
  addAll(template: Template): void {
    for (const { logicalId, properties } of resourcesOf(template, 'AWS::SecretsManager::Secret')) {
      const { PasswordLength } = properties.GenerateSecretString;
      const arn = template.identityOf(logicalId).ref;
      this.set(arn, this.generate(arn, PasswordLength));
    }
  }
}

function randomText(length: number): string {
  // 248 is the largest multiple of the alphabet's size in a byte. With larger values some characters would be more likely.
  const bytes = [...randomBytes(length * 4)].filter((byte) => byte < 248);
  return bytes
    .slice(0, length)
    .map((byte) => ALPHABET[byte % ALPHABET.length])
    .join('');
}
