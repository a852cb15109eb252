import { mistakeIn, readContext, type TidemarkContext } from '../infra/context.ts';
import { LOCAL_CONTEXT } from './aws/synthesis.ts';
import { DEFAULT_DATA, readArguments, runCommand, settingsIn } from './command/command.ts';
import { consoleLog } from './command/log.ts';
import { onceNpmIsGone } from './command/npm-process.ts';
import { UsageError } from './command/usage-error.ts';
import { DataDirectory } from './data/data-directory.ts';
import { DEFAULT_SPEED, startStack } from './stack.ts';

const DEFAULT_PORT = 3000;

const HELP = `
npm run dev -- [options]

Starts the whole of Tidemark on this machine and prints "Tidemark ready on <URL>" once it answers.
Ctrl-C, SIGTERM, or the end of npm stops it with everything that it started. The data stays for the next start.

Options
  --port N         the port to answer on, ${DEFAULT_PORT} by default; 0 picks a free one
  --data DIR       where the data is kept, ${DEFAULT_DATA} by default
  --fresh          forgets the data of earlier starts; tokens stay good
  --webhook URL    posts events to a receiver of yours, and prints the secret that signs them
  --issuer URL     takes the tokens of an issuer of yours too, beside those of npm run token; it must run already
  --audience A     the audience of that issuer's tokens; the two options go together
  --speed N        how many times faster than on AWS the pauses between tries pass, ${DEFAULT_SPEED} by default: a failing
                   webhook is tried again after 10 s, 20 s and so on for a day, here divided by this; 1 is as on AWS
  -c, --context KEY=VALUE
                   another setting of a deployment, such as serviceAuth=iam or membership=open; may be repeated
  -h, --help       prints this

Environment
  DYNAMODB_ENDPOINT    a DynamoDB Local that runs already, such as http://127.0.0.1:8000
  REDIS_URL            a Redis that runs already, such as redis://127.0.0.1:6379
  JAVA_HOME            the Java (17 or newer) for DynamoDB Local, instead of the one on the PATH

It prints how far the start is, then where everything is, then one line for each request and delivery.
<data directory>/dev.json has the same for programs, with the credentials of a back end; wsUrl is null where the
deployment has no WebSocket API.
GET <URL>/_local/events lists what went over the bus.
GET <URL>/_local/notifications lists what the local webhook received: nothing where --webhook names another one.
Tokens: npm run --silent token -- --help
`;

async function main(): Promise<void> {
  const { values } = readArguments({
    name: 'dev',
    help: HELP,
    takes: {
      options: {
        port: { type: 'string', default: String(DEFAULT_PORT) },
        data: { type: 'string', default: DEFAULT_DATA },
        webhook: { type: 'string' },
        issuer: { type: 'string' },
        audience: { type: 'string' },
        speed: { type: 'string', default: String(DEFAULT_SPEED) },
        fresh: { type: 'boolean', default: false },
        context: { type: 'string', short: 'c', multiple: true, default: [] },
      },
    },
  });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535)
    throw new UsageError('--port takes a number from 0 to 65535.');
  const speed = Number(values.speed);
  if (!/^[1-9]\d{0,5}$/.test(values.speed))
    throw new UsageError('--speed takes a whole number from 1 to 999999.');
  const { webhook, issuer, audience } = values;
  requireSetting('--webhook', 'webhookUrl', webhook);
  requireSetting('--issuer', 'jwtIssuer', issuer);
  requireSetting('--audience', 'jwtAudience', audience);
  if ((issuer === undefined) !== (audience === undefined))
    throw new UsageError('--issuer and --audience go together.');

  const context = contextIn(values.context);

  const starting = startStack({
    port,
    dataDirectory: values.data,
    fresh: values.fresh,
    log: consoleLog(),
    step: (text) => console.log(text),
    webhookUrl: webhook,
    speed,
    context,
    trusts: issuer !== undefined && audience !== undefined ? { issuer, audience } : undefined,
    redisUrl: process.env.REDIS_URL,
    dynamodbEndpoint: process.env.DYNAMODB_ENDPOINT,
  });
  const stop = async () => {
    // Asked a second time, it does not wait for anything.
    process.once('SIGINT', () => process.exit(130));
    const stack = await starting.catch(() => null);
    await stack?.stop();
    process.exit(0);
  };
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
  void onceNpmIsGone('local/dev.ts', () => {
    console.log('npm, which started this, has ended.');
    void stop();
  });

  const { description } = await starting;
  const { redis, upstash, dynamodb, eventbridge } = description;
  console.log(`Redis      ${withoutPassword(redis.url)} (${redis.engine}), as Upstash on ${upstash.url}`);
  console.log(`DynamoDB   ${dynamodb.endpoint}, table ${dynamodb.table}`);
  console.log(
    `Events     ${eventbridge.endpoint}, bus ${eventbridge.bus}; see ${description.apiUrl}/_local/events`,
  );
  if (description.wsUrl !== null) console.log(`WebSockets ${description.wsUrl}`);
  console.log(
    webhook === undefined
      ? `Webhook    ${description.apiUrl}/_local/notifications shows what it received`
      : `Webhook    ${webhook}, signed with whsec_${new DataDirectory(values.data).webhookSecret()}`,
  );
  if (issuer !== undefined)
    console.log(`Issuer     ${issuer}, for the audience ${audience}; and the local one`);
  if (context.serviceAuth === 'iam')
    console.log(
      'Back ends  sign their calls, for execute-api in us-east-1, with the credentials in dev.json',
    );
  console.log(`Tidemark ready on ${description.apiUrl}`);
}

/** What is the local stack's own, and what it takes instead. */
const OWN_SETTINGS: Readonly<Record<string, string>> = {
  stage: 'the stage is "local"',
  jwtIssuer: 'take --issuer and --audience',
  upstashSecretArn: 'the stack has a secret of its own',
  webhookUrl: 'take --webhook',
};

/** The settings given as KEY=VALUE, held to what a deployment takes. */
function contextIn(given: readonly string[]): Record<string, string> {
  const context = settingsIn(given);
  for (const key of Object.keys(context)) {
    const instead = Object.hasOwn(OWN_SETTINGS, key) ? OWN_SETTINGS[key] : undefined;
    if (instead !== undefined) throw new UsageError(`--context cannot set ${key}: ${instead}.`);
  }
  const reading = readContext({ ...LOCAL_CONTEXT, ...context });
  if (!reading.ok) throw new UsageError(['--context will not do:', ...reading.problems].join('\n- '));
  return context;
}

/** Holds an option to what a deployment takes. */
function requireSetting(option: string, key: keyof TidemarkContext, value: string | undefined): void {
  const mustBe = value === undefined ? null : mistakeIn(key, value);
  const local = key === 'jwtAudience' ? '' : '; on this machine http will do';
  if (mustBe) throw new UsageError(`${option} must be ${mustBe}${local}.`);
}

/** What is printed may be kept in logs that others read. */
function withoutPassword(url: string): string {
  const printed = new URL(url);
  printed.password = '';
  return printed.href.replace(/\/$/, '');
}

runCommand(main);
