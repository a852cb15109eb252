import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

/** Where the local stack keeps its data unless `--data` says otherwise. */
export const DEFAULT_DATA = '.tidemark';

export interface Command<O extends ParseArgsConfig> {
  /** The script of package.json. */
  readonly name: string;
  /** What `--help` prints. */
  readonly help: string;
  readonly takes: O;
}

/** The options and arguments of a command. With `--help` it prints the help and exits; a mistake throws a UsageError. */
export function readArguments<const O extends ParseArgsConfig>({
  name,
  help,
  takes,
}: Command<O>): ReturnType<typeof parseArgs<O>> {
  // Unlike npm, pnpm hands over the `--` before the options too.
  const args = process.argv.slice(process.argv[2] === '--' ? 3 : 2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help.trim());
    process.exit(0);
  }
  try {
    const read = parseArgs<O>({ ...takes, args });
    // An empty path would be the current directory, and an empty URL nobody's.
    const [empty] = Object.entries(read.values).find(([, value]) => value === '') ?? [];
    if (empty !== undefined) throw new TypeError(`Option '--${empty}' takes a value`);
    return read;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`${mistakeIn(error.message)}; npm run ${name} -- --help tells what it takes.`, {
      cause: error,
    });
  }
}

/** Settings given as KEY=VALUE, as the CDK's command takes its context. Of a repeated key the last one counts. */
export function settingsIn(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((setting) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
      if (key === undefined || value === undefined) {
        throw new UsageError(`--context takes KEY=VALUE, such as membership=open, and not ${setting}.`);
      }
      return [key, value];
    }),
  );
}

/** The first sentence of what Node.js says, in words for somebody who does not know how it reads arguments. */
function mistakeIn(message: string): string {
  const [sentence = ''] = message.split(/\.?\n|\. /);
  const withoutValue = /^Option ('--?[\w-]+).* argument (?:is ambiguous|missing)$/.exec(sentence);
  return withoutValue ? `Option ${withoutValue[1]}' takes a value` : sentence;
}

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

/** What a person can do about an error, in one sentence; null for a fault, whose stack says more. */
export function sentenceOf(error: unknown): string | null {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof Error)) return null;
  const { code = '', path } = error as NodeJS.ErrnoException;
  const refusal = REFUSALS[code];
  return refusal !== undefined && path !== undefined
    ? `${path} ${refusal} (${code}): choose a data directory of your own with --data.`
    : null;
}
