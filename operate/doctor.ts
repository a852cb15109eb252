import { readFileSync } from 'node:fs';
import { readArguments, runCommand, settingsIn } from '../local/command/command.ts';
import { examine } from './doctor/examine.ts';

const HELP = `
npm run doctor -- -c KEY=VALUE ...

Checks a deployment before it is made: the same settings as for npx cdk deploy, and those in cdk.json. One line for each
check: ok, warn (it may do, or could not be checked) or fail, with what to do. Exits with 1 where anything fails. It
changes nothing in your account, posts nothing to the webhook, and writes one key to Upstash, which is gone a second later.

Options
  -c, --context KEY=VALUE    a setting of the deployment; may be repeated
  -h, --help                 prints this

Environment
  AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE and all else by which AWS's tools know you and your region
`;

async function main(): Promise<void> {
  const { values } = readArguments({
    name: 'doctor',
    help: HELP,
    takes: { options: { context: { type: 'string', short: 'c', multiple: true, default: [] } } },
  });
  const given = { ...contextOfProject(), ...settingsIn(values.context) };
  let failures = 0;
  for await (const { status, thing, text } of examine({ given, environment: process.env })) {
    console.log(`${status.padEnd(4)}  ${thing}: ${text}`);
    if (status === 'fail') failures++;
  }
  if (failures > 0) process.exitCode = 1;
}

/** What the CDK's command reads from cdk.json. */
function contextOfProject(): Record<string, unknown> {
  const { context = {} } = JSON.parse(readFileSync(new URL('../cdk.json', import.meta.url), 'utf8')) as {
    readonly context?: Record<string, unknown>;
  };
  return context;
}

runCommand(main);
