import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

/** The data directory of the local stack without `--data`. */
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
  // Unlike npm, pnpm also passes the `--` before the options.
  const args = process.argv.slice(process.argv[2] === '--' ? 3 : 2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help.trim());
    process.exit(0);
  }
  try {
    const read = parseArgs<O>({ ...takes, args });
    // An empty path would be the current directory, and an empty URL is no URL.
    const [empty] = Object.entries(read.values).find(([, value]) => value === '') ?? [];
    if (empty !== undefined) throw new TypeError(`Option '--${empty}' takes a value`);
    return read;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`${mistakeIn(error.message)}; npm run ${name} -- --help lists the options.`, {
      cause: error,
    });
  }
}

/** Reads settings given as KEY=VALUE, like the context of the CDK's command. For a repeated key the last value counts. */
export function settingsIn(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((setting) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
      if (key === undefined || value === undefined) {
        throw new UsageError(`--context takes KEY=VALUE, such as membership=open, not ${setting}.`);
      }
      return [key, value];
    }),
  );
}

/** The first sentence of the message of Node.js, in words that do not need knowledge of its argument parser. */
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

/** The system's reason to refuse a path, by the error's code. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'belongs to another user or is closed to you',
  EPERM: 'belongs to another user or is closed to you',
  EROFS: 'is on a file system that is read-only',
  EEXIST: 'is not a directory',
  ENOTDIR: 'is not a directory',
};

/** The message for a mistake of the user, with what to do. Null for a fault, which is printed with its stack. */
export function sentenceOf(error: unknown): string | null {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof Error)) return null;
  const { code = '', path } = error as NodeJS.ErrnoException;
  const refusal = REFUSALS[code];
  return refusal !== undefined && path !== undefined
    ? `${path} ${refusal} (${code}): choose a data directory of your own with --data.`
    : null;
}
