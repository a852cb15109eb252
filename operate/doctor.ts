import { readFileSync } from 'node:fs';
import { readArguments, runCommand, settingsIn } from '../local/command/command.ts';
import { examine } from './doctor/examine.ts';

const HELP = `
npm run doctor -- -c KEY=VALUE ...

Checks a deployment before you make it. It takes the same settings as npx cdk deploy, also from cdk.json. It prints a line
for each check: ok, warn (perhaps a problem, or not checked) or fail, with what to do. It exits with 1 if anything fails.
It changes nothing in your account, posts nothing to the webhook, and writes one key to Upstash, which expires after a
second.

Options
  -c, --context KEY=VALUE    a setting of the deployment; can be repeated
  -h, --help                 prints this

Environment
  AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE and the other variables of AWS's tools
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

/** The context in cdk.json, which the CDK's command reads too. */
function contextOfProject(): Record<string, unknown> {
  const { context = {} } = JSON.parse(readFileSync(new URL('../cdk.json', import.meta.url), 'utf8')) as {
    readonly context?: Record<string, unknown>;
  };
  return context;
}

runCommand(main);
