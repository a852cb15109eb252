import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A mistake of the person at the keyboard, told in one sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

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
  'dead-letters.jsonl',
] as const;

/** Keys and secrets are no data: tokens that were handed out stay good when the data is forgotten. */
const KEYS = ['issuer.json', 'secrets.json'] as const;

export type FileName = (typeof DATA)[number] | (typeof KEYS)[number];

/** What dev.json tells of a running stack. */
export interface StackDescription {
  readonly apiUrl: string;
  readonly wsUrl: null;
  readonly pid: number;
  readonly redis: { readonly engine: string; readonly url: string; readonly pid: number | null };
  readonly upstash: { readonly url: string; readonly token: string };
  readonly dynamodb: { readonly endpoint: string; readonly table: string; readonly pid: number | null };
  readonly eventbridge: { readonly endpoint: string; readonly bus: string };
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
    const other = this.#read<{ pid: number; probeUrl: string }>('running.json');
    if (other && (await isRunning(other))) {
      throw new UsageError(`${this.path} is in use by another local stack (process ${other.pid}).`);
    }
    mkdirSync(this.path, { recursive: true });
    this.#write('running.json', { pid: process.pid, probeUrl });
  }

  release(): void {
    for (const name of ['dev.json', 'running.json'] as const) rmSync(this.file(name), { force: true });
  }

  describe(description: StackDescription): void {
    this.#write('dev.json', description);
  }

  /** Null where no stack runs here. */
  description(): StackDescription | null {
    return this.#read('dev.json');
  }

  /** The secret that webhooks are signed with. Throws where none was generated yet. */
  webhookSecret(): string {
    const secrets = this.#read<Record<string, string>>('secrets.json') ?? {};
    const [, secret] = Object.entries(secrets).find(([name]) => name.includes('WebhookSecret')) ?? [];
    if (!secret) throw new UsageError(`${this.path} holds no webhook secret.`);
    return secret;
  }

  #read<T>(name: FileName): T | null {
    try {
      return JSON.parse(readFileSync(this.file(name), 'utf8')) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Whoever reads it sees all of it. Only the user may: it holds a token. */
  #write(name: FileName, value: unknown): void {
    writeFileSync(`${this.file(name)}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${this.file(name)}.new`, this.file(name));
  }
}

/** A killed stack leaves its claim behind, and its process id may be another's by now: only its answer counts. */
async function isRunning({ pid, probeUrl }: { pid: number; probeUrl: string }): Promise<boolean> {
  try {
    const response = await fetch(probeUrl, { signal: AbortSignal.timeout(1_000) });
    const answer = (await response.json()) as { pid?: number };
    return answer.pid === pid && pid !== process.pid;
  } catch {
    return false;
  }
}
