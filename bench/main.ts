import { readArguments, runCommand } from '../local/command/command.ts';
import { UsageError } from '../local/command/usage-error.ts';
import { measureBundles } from './bundles-section.ts';
import { measureCacheCall } from './cache-call-section.ts';
import { measureCost } from './cost-section.ts';
import { measureCpu } from './cpu-section.ts';
import { measureInbox } from './inbox-section.ts';
import { measureLive } from './live-section.ts';
import { measureMemoryOfItems } from './memory-section.ts';
import { measureReceipts } from './receipts-section.ts';
import { measureStack } from './stack-section.ts';
import { measureStart } from './start-section.ts';
import { measureStorm } from './storm-section.ts';

const sections = {
  start: measureStart,
  stack: measureStack,
  'cache-call': measureCacheCall,
  receipts: measureReceipts,
  inbox: measureInbox,
  memory: measureMemoryOfItems,
  bundles: measureBundles,
  cost: measureCost,
  cpu: measureCpu,
  storm: measureStorm,
  live: measureLive,
};

const HELP = `
npm run bench -- [section]

Reports the speed of Tidemark on this machine: all sections, or one of these.

  start         how long the local stack takes to start, and its memory
  stack         marks and reads through the local stack, beside bare calls to its engines
  cache-call    what a call of the cache costs a function
  receipts      how receipts grow with the group, in time and memory
  inbox         badge and inbox of a user in 200 and 2,000 groups
  memory        bytes of Redis for a message and for a member, by what they carry
  bundles       size, import, memory, start and first event of each function's bundle
  cost          what is billed for each route, and a day of a chat, at AWS's prices
  cpu           CPU of all functions for a forward mark and for a message, warm
  storm         everybody in a group of 20,000 reads at once
  live          200 connections in a group of 500, 50 marks a second for 20 s: frames, and time from mark to frame

Options
  -h, --help    prints this
`;

async function main(): Promise<void> {
  const { positionals } = readArguments({ name: 'bench', help: HELP, takes: { allowPositionals: true } });
  const [chosen] = positionals;
  const names = Object.keys(sections) as (keyof typeof sections)[];
  const wanted = chosen === undefined ? names : names.filter((name) => name === chosen);
  if (wanted.length === 0) {
    throw new UsageError(`There is no section ${chosen}; choose ${names.join(', ')}, or none for all.`);
  }
  for (const name of wanted) {
    await sections[name]();
    console.log();
  }
}

// Started processes end with this process, and temporary directories are removed at its exit.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
runCommand(main);
