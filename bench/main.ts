import { measureBundles } from './bundles-section.ts';
import { measureCacheCall } from './cache-call-section.ts';
import { measureReceipts } from './receipts-section.ts';
import { measureStack } from './stack-section.ts';
import { measureStart } from './start-section.ts';

const sections = {
  start: measureStart,
  stack: measureStack,
  'cache-call': measureCacheCall,
  receipts: measureReceipts,
  bundles: measureBundles,
};

async function main(): Promise<void> {
  const [chosen] = process.argv.slice(2);
  const names = Object.keys(sections) as (keyof typeof sections)[];
  const wanted = chosen === undefined ? names : names.filter((name) => name === chosen);
  if (wanted.length === 0) {
    console.error(`There is no section ${chosen}; choose ${names.join(', ')}, or none for all.`);
    process.exitCode = 1;
  }
  for (const name of wanted) {
    await sections[name]();
    console.log();
  }
}

// Whatever was started ends with this process, and temporary directories go at its exit.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
await main();
