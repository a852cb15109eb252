import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Credentials, OWNER_ACCESS_KEY, ownerWith } from '../aws/credentials.ts';
import { readSecrets } from '../aws/secrets.ts';
import { DEFAULT_DATA } from '../command/command.ts';
import { UsageError } from '../command/usage-error.ts';
import {
  closeToOthers,
  makePrivateDirectory,
  readJsonFile,
  targetOfTemporary,
  writePrivateFile,
} from './private-files.ts';

/** The files of the local stack. Other files in the directory are not touched. */
const DATA = [
  'dynamodb',
  'cdk.out',
  'subscribers.out',
  'dev.json',
  'running.json',
  'checkpoints.json',
  'events.jsonl',
  'deliveries.jsonl',
  'notifications.jsonl',
  'queues.jsonl',
  'chat.jsonl',
] as const;

/** Keys and secrets. They are kept when the data is deleted, so that issued tokens stay valid. */
const KEYS = ['issuer.json', 'secrets.json'] as const;

export type FileName = (typeof DATA)[number] | (typeof KEYS)[number];

/** The content of dev.json, which describes a running stack. */
export interface StackDescription {
  readonly apiUrl: string;
  /** The WebSocket API's; null where the deployment has none. */
  readonly wsUrl: string | null;
  readonly pid: number;
  readonly redis: { readonly engine: string; readonly url: string; readonly pid: number | null };
  readonly upstash: { readonly url: string; readonly token: string };
  readonly dynamodb: {
    /** Accepts calls that are signed and that policies allow. */
    readonly endpoint: string;
    /** DynamoDB Local itself. It has no policies; its database belongs to the access key of the data directory. */
    readonly engineEndpoint: string;
    readonly table: string;
    readonly pid: number | null;
  };
  readonly eventbridge: { readonly endpoint: string; readonly bus: string };
  /** The credentials of a back end, which may put events and read the table. */
  readonly credentials: Credentials;
}

/** The content of running.json: the process that uses the directory. */
interface Claim {
  readonly pid: number;
  /** Answers with the process id while the process runs. */
  readonly probeUrl: string;
}

/** The directory with the state of one local stack. */
export class DataDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  file(name: FileName): string {
    return join(this.path, name);
  }

  forget(): void {
    for (const name of DATA) rmSync(join(this.path, name), { recursive: true, force: true });
  }

  /** Claims the directory for this process. Throws a UsageError if another running stack uses it. */
  async claim(probeUrl: string): Promise<void> {
    const other = this.#read<Claim>('running.json');
    if (other && other.pid !== process.pid && (await isRunning(other))) {
      throw new UsageError(`${this.path} is in use by another local stack (process ${other.pid}).`);
    }
    makePrivateDirectory(this.path);
    // From a stack that was killed, whose engines have ended.
    rmSync(this.file('dev.json'), { force: true });
    this.#write('running.json', { pid: process.pid, probeUrl });
    this.#tidy();
  }

  /** Removes temporary files of interrupted writes. Makes the files private, because older versions did not. */
  #tidy(): void {
    const known: readonly string[] = [...DATA, ...KEYS];
    const names = readdirSync(this.path);
    for (const name of names) {
      const target = targetOfTemporary(name);
      if (target !== undefined && known.includes(target)) rmSync(join(this.path, name), { force: true });
    }
    const present = known.filter((name) => existsSync(join(this.path, name)));
    for (const name of present) closeToOthers(join(this.path, name));
    // If the directory has other files, other users may need access to it.
    const isOurs = readdirSync(this.path).every((name) => known.includes(name));
    if (isOurs) chmodSync(this.path, 0o700);
  }

  release(): void {
    for (const name of ['dev.json', 'running.json'] as const) rmSync(this.file(name), { force: true });
  }

  describe(description: StackDescription): void {
    this.#write('dev.json', description);
  }

  /** The description that the stack wrote when it was ready. It stays if the stack is killed. */
  description(): StackDescription | null {
    return this.#read('dev.json');
  }

  /** The description of the running stack. Throws a UsageError if none runs. */
  async running(): Promise<StackDescription> {
    const claim = this.#read<Claim>('running.json');
    const description = claim && (await isRunning(claim)) ? this.description() : null;
    if (description) return description;
    const isDefault = this.path === resolve(DEFAULT_DATA);
    const elsewhere = isDefault ? ' If your stack has another data directory, pass --data DIR.' : '';
    throw new UsageError(`No stack runs on ${this.path}; start one with npm run dev.${elsewhere}`);
  }

  /** The secret that signs webhooks. Throws a UsageError if none was generated yet. */
  webhookSecret(): string {
    const secrets = readSecrets(this.file('secrets.json'));
    const [, secret] = Object.entries(secrets).find(([name]) => name.includes('WebhookSecret')) ?? [];
    if (!secret) throw new UsageError(`${this.path} has no webhook secret.`);
    return secret;
  }

  /** The access key that owns the ledger's database. Throws a UsageError if none was generated yet. */
  ledgerOwner(): Credentials {
    const accessKeyId = readSecrets(this.file('secrets.json'))[OWNER_ACCESS_KEY];
    if (!accessKeyId) throw new UsageError(`${this.path} has no access key.`);
    return ownerWith(accessKeyId);
  }

  #read<T>(name: FileName): T | null {
    return readJsonFile(this.file(name), 'remove it');
  }

  #write(name: FileName, value: unknown): void {
    writePrivateFile(this.file(name), `${JSON.stringify(value, null, 2)}\n`);
  }
}

/** Only an answer shows that the stack runs: a killed stack leaves its claim, and another process may get its id. */
async function isRunning({ pid, probeUrl }: Claim): Promise<boolean> {
  try {
    const response = await fetch(probeUrl, { signal: AbortSignal.timeout(5_000) });
    const answer = (await response.json()) as { pid?: number };
    return answer.pid === pid;
  } catch {
    return false;
  }
}
