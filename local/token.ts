import { loadTemplate } from './aws/cloudformation/template.ts';
import { DEFAULT_DATA, readArguments, runCommand } from './command/command.ts';
import { UsageError } from './command/usage-error.ts';
import { DataDirectory } from './data/data-directory.ts';
import { Issuer, SCOPES } from './identity/issuer.ts';
import { callersOf, issueFor } from './identity/token-callers.ts';

const HELP = `
npm run --silent token -- alice        prints a token for the user alice, with the scope ${SCOPES.user}
npm run --silent token -- --service    prints a token for a back end, with the scope ${SCOPES.service}

The running local stack accepts it as "Authorization: Bearer <token>" for 30 days. If the stack was started with other
scopes or audiences (npm run dev -- --context), the token has those.
Only a running stack issues tokens: a script must start the stack first, and wait for "Tidemark ready".

Options
  --data DIR    the data directory of the stack, ${DEFAULT_DATA} by default
  -h, --help    prints this
`;

async function main(): Promise<void> {
  const { values, positionals } = readArguments({
    name: 'token',
    help: HELP,
    takes: {
      allowPositionals: true,
      options: {
        data: { type: 'string', default: DEFAULT_DATA },
        service: { type: 'boolean', default: false },
      },
    },
  });
  const [userId] = positionals;
  if (positionals.length > 1 || (userId !== undefined) === values.service) {
    throw new UsageError(
      'Name a user or a back end: npm run --silent token -- alice, or npm run --silent token -- --service',
    );
  }
  const directory = new DataDirectory(values.data);
  await directory.running();
  const issuer = await Issuer.open(directory.path);
  const callers = callersOf(loadTemplate(directory.file('cdk.out')));
  console.log(await issueFor(issuer, callers, userId ?? 'service', values.service ? 'service' : 'user'));
}

runCommand(main);
