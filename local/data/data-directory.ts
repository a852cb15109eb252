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

/** What the local stack keeps, and nothing else that a directory given by hand may hold. */
const DATA = [
  'dynamodb',
  'cdk.out',
  'dev.json',
  'running.json',
  'checkpoints.json',
  'events.jsonl',
  'deliveries.jsonl',
  'notifications.jsonl',
  'queues.jsonl',
] as const;

/** Keys and secrets are no data: tokens that were handed out stay good when the data is forgotten. */
const KEYS = ['issuer.json', 'secrets.json'] as const;

export type FileName = (typeof DATA)[number] | (typeof KEYS)[number];

/** What dev.json says of a running stack. */
export interface StackDescription {
  readonly apiUrl: string;
  /** The WebSocket API's; null where the deployment has none. */
  readonly wsUrl: string | null;
  readonly pid: number;
  readonly redis: { readonly engine: string; readonly url: string; readonly pid: number | null };
  readonly upstash: { readonly url: string; readonly token: string };
  readonly dynamodb: {
    /** Takes what is signed and what policies allow. */
    readonly endpoint: string;
    /** DynamoDB Local itself, which knows no policies and answers to the access key of the data directory. */
    readonly engineEndpoint: string;
    readonly table: string;
    readonly pid: number | null;
  };
  readonly eventbridge: { readonly endpoint: string; readonly bus: string };
  /** A back end's: it may put events and read the table. */
  readonly credentials: Credentials;
}

/** What running.json says of the process that has the directory. */
interface Claim {
  readonly pid: number;
  /** Answers with the process id for as long as it runs. */
  readonly probeUrl: string;
}

/** Where one local stack keeps its state. */
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

  /** Takes the directory for this process. Throws where another one that still runs has it. */
  async claim(probeUrl: string): Promise<void> {
    const other = this.#read<Claim>('running.json');
    if (other && other.pid !== process.pid && (await isRunning(other))) {
      throw new UsageError(`${this.path} is in use by another local stack (process ${other.pid}).`);
    }
    makePrivateDirectory(this.path);
    // A killed stack has left it behind, and its engines are gone.
    rmSync(this.file('dev.json'), { force: true });
    this.#write('running.json', { pid: process.pid, probeUrl });
    this.#tidy();
  }

  /** Removes what a write that was cut off left behind, and closes to others what an older version left open. */
  #tidy(): void {
    const known: readonly string[] = [...DATA, ...KEYS];
    const names = readdirSync(this.path);
    for (const name of names) {
      const target = targetOfTemporary(name);
      if (target !== undefined && known.includes(target)) rmSync(join(this.path, name), { force: true });
    }
    const present = known.filter((name) => existsSync(join(this.path, name)));
    for (const name of present) closeToOthers(join(this.path, name));
    // A directory given by hand may hold more than this, which others may have to reach.
    const isOurs = readdirSync(this.path).every((name) => known.includes(name));
    if (isOurs) chmodSync(this.path, 0o700);
  }

  release(): void {
    for (const name of ['dev.json', 'running.json'] as const) rmSync(this.file(name), { force: true });
  }

  describe(description: StackDescription): void {
    this.#write('dev.json', description);
  }

  /** What the stack that runs here has written when it was ready. One that was killed has left it behind. */
  description(): StackDescription | null {
    return this.#read('dev.json');
  }

  /** The description of the stack that runs here. Throws a UsageError where none does. */
  async running(): Promise<StackDescription> {
    const claim = this.#read<Claim>('running.json');
    const description = claim && (await isRunning(claim)) ? this.description() : null;
    if (description) return description;
    const isDefault = this.path === resolve(DEFAULT_DATA);
    const elsewhere = isDefault ? ' If yours keeps its data elsewhere, say where: --data DIR.' : '';
    throw new UsageError(`No stack runs on ${this.path}; start one with npm run dev.${elsewhere}`);
  }

  /** The secret that webhooks are signed with. Throws where none was generated yet. */
  webhookSecret(): string {
    const secrets = readSecrets(this.file('secrets.json'));
    const [, secret] = Object.entries(secrets).find(([name]) => name.includes('WebhookSecret')) ?? [];
    if (!secret) throw new UsageError(`${this.path} holds no webhook secret.`);
    return secret;
  }

  /** The access key that the ledger's database belongs to. Throws where none was generated yet. */
  ledgerOwner(): Credentials {
    const accessKeyId = readSecrets(this.file('secrets.json'))[OWNER_ACCESS_KEY];
    if (!accessKeyId) throw new UsageError(`${this.path} holds no access key.`);
    return ownerWith(accessKeyId);
  }

  #read<T>(name: FileName): T | null {
    return readJsonFile(this.file(name), 'remove it');
  }

  #write(name: FileName, value: unknown): void {
    writePrivateFile(this.file(name), `${JSON.stringify(value, null, 2)}\n`);
  }
}

/** A killed stack leaves its claim behind, and its process id may be another's by now: only its answer counts. */
async function isRunning({ pid, probeUrl }: Claim): Promise<boolean> {
  try {
    const response = await fetch(probeUrl, { signal: AbortSignal.timeout(5_000) });
    const answer = (await response.json()) as { pid?: number };
    return answer.pid === pid;
  } catch {
    return false;
  }
}
