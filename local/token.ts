import { parseArgs } from 'node:util';
import { runCommand } from './command.ts';
import { DataDirectory } from './data-directory.ts';
import { Issuer, SCOPES } from './http/issuer.ts';
import { UsageError } from './usage-error.ts';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string', default: '.tidemark' }, service: { type: 'boolean', default: false } },
  });
  const [userId] = positionals;
  if (positionals.length > 1 || (userId !== undefined) === values.service) {
    throw new UsageError(
      'Say for whom: npm run --silent token -- alice, or npm run --silent token -- --service',
    );
  }
  const directory = new DataDirectory(values.data);
  await directory.running();
  const issuer = await Issuer.open(directory.path);
  console.log(await issuer.issue(userId ?? 'service', values.service ? SCOPES.service : SCOPES.user));
}

runCommand(main);
