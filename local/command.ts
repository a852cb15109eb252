import { UsageError } from './usage-error.ts';

/** Runs a command to its end. A failure goes to stderr and exits with 1. */
export function runCommand(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    console.error(sentenceOf(error) ?? error);
    process.exit(1);
  });
}

/** Why the system refuses a path, by the error's code. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'belongs to another user or is closed to you',
  EPERM: 'belongs to another user or is closed to you',
  EROFS: 'is on a file system that is read-only',
  EEXIST: 'is no directory',
  ENOTDIR: 'is no directory',
};

/** What a person can do about an error, in one sentence; null for a fault, whose stack tells more. */
export function sentenceOf(error: unknown): string | null {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof Error)) return null;
  const { code = '', path } = error as NodeJS.ErrnoException;
  const refusal = REFUSALS[code];
  return refusal !== undefined && path !== undefined
    ? `${path} ${refusal} (${code}): choose a data directory of your own with --data.`
    : null;
}
