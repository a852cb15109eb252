import { existsSync } from 'node:fs';
import { join } from 'node:path';
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

Starts all of Tidemark on this machine and prints "Tidemark ready on <URL>" once it answers.
Ctrl-C, SIGTERM, or the end of npm stops it and every process that it started. The next start has the same data.

Options
  --port N         the port to answer on, ${DEFAULT_PORT} by default; 0 picks a free one
  --data DIR       the directory of the data, ${DEFAULT_DATA} by default
  --fresh          deletes the data of earlier starts; tokens stay valid
  --webhook URL    posts events to your receiver, and prints the secret that signs them
  --issuer URL     also accepts the tokens of your issuer, which must be running already
  --audience A     the audience of that issuer's tokens; use both options together
  --subscriber DIR deploys the CDK app in DIR, whose rules subscribe to the bus, beside Tidemark; can be repeated.
                   The app gets the bus's name as the context eventBusName. Unlike on AWS, a new subscriber also gets
                   the events of earlier starts; --fresh deletes them
  --speed N        makes the pauses between tries N times shorter than on AWS, ${DEFAULT_SPEED} by default; on AWS an event that a
                   webhook refuses is posted again after 10 s, 20 s, 40 s and so on for a day
  -c, --context KEY=VALUE
                   another setting of a deployment, such as serviceAuth=iam or membership=open; can be repeated
  -h, --help       prints this

Environment
  DYNAMODB_ENDPOINT    a running DynamoDB Local to use, such as http://127.0.0.1:8000
  REDIS_URL            a running Redis to use, such as redis://127.0.0.1:6379
  JAVA_HOME            the Java (17 or newer) for DynamoDB Local, instead of the one on the PATH

It prints the steps of the start, then all addresses, then one line for each request and delivery.
<data directory>/dev.json has the same for programs, with the credentials of a back end; wsUrl is null in a
deployment without a WebSocket API.
GET <URL>/_local/events lists the events on the bus.
GET <URL>/_local/notifications lists what the local webhook received: nothing with --webhook.
<URL>/ in a browser is the demo page: three people in one group chat.
GET <URL>/docs shows the API's reference in a browser; GET <URL>/openapi.json is the document behind it (OpenAPI 3.1).
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
        subscriber: { type: 'string', multiple: true, default: [] },
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

  for (const folder of values.subscriber) {
    if (!existsSync(join(folder, 'cdk.json')))
      throw new UsageError(`--subscriber takes the folder of a CDK app, and ${folder} has no cdk.json.`);
  }
  const context = contextIn(values.context);

  const starting = startStack({
    port,
    dataDirectory: values.data,
    fresh: values.fresh,
    log: consoleLog(),
    step: (text) => console.log(text),
    webhookUrl: webhook,
    subscribers: values.subscriber,
    speed,
    context,
    trusts: issuer !== undefined && audience !== undefined ? { issuer, audience } : undefined,
    redisUrl: process.env.REDIS_URL,
    dynamodbEndpoint: process.env.DYNAMODB_ENDPOINT,
  });
  const stop = async () => {
    // A second Ctrl-C ends the process at once.
    process.once('SIGINT', () => process.exit(130));
    const stack = await starting.catch(() => null);
    await stack?.stop();
    process.exit(0);
  };
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
  void onceNpmIsGone('local/dev.ts', () => {
    console.log('npm, which started this process, has ended.');
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
    console.log(`Issuer     ${issuer}, for the audience ${audience}; and the local issuer`);
  for (const folder of values.subscriber) console.log(`Subscriber ${folder}, on the bus ${eventbridge.bus}`);
  if (context.serviceAuth === 'iam')
    console.log('Back ends  sign their calls for execute-api in us-east-1, with the credentials in dev.json');
  console.log(`Demo page  ${description.apiUrl}/, three people in one group chat`);
  console.log(`Reference  ${description.apiUrl}/docs, made of ${description.apiUrl}/openapi.json`);
  console.log(`Tidemark ready on ${description.apiUrl}`);
}

/** Settings that the local stack sets itself, and what to use instead. */
const OWN_SETTINGS: Readonly<Record<string, string>> = {
  stage: 'the stage is "local"',
  jwtIssuer: 'use --issuer and --audience',
  upstashSecretArn: 'the local stack creates its own secret',
  webhookUrl: 'use --webhook',
};

/** Reads settings given as KEY=VALUE, and checks them like those of a deployment. */
function contextIn(given: readonly string[]): Record<string, string> {
  const context = settingsIn(given);
  for (const key of Object.keys(context)) {
    const instead = Object.hasOwn(OWN_SETTINGS, key) ? OWN_SETTINGS[key] : undefined;
    if (instead !== undefined) throw new UsageError(`--context cannot set ${key}: ${instead}.`);
  }
  const reading = readContext({ ...LOCAL_CONTEXT, ...context });
  if (!reading.ok) throw new UsageError(['--context is not valid:', ...reading.problems].join('\n- '));
  return context;
}

/** Checks an option like the setting of a deployment. */
function requireSetting(option: string, key: keyof TidemarkContext, value: string | undefined): void {
  const mustBe = value === undefined ? null : mistakeIn(key, value);
  const local = key === 'jwtAudience' ? '' : '; on this machine it can be http';
  if (mustBe) throw new UsageError(`${option} must be ${mustBe}${local}.`);
}

/** Others may read logs of what is printed. */
function withoutPassword(url: string): string {
  const printed = new URL(url);
  printed.password = '';
  return printed.href.replace(/\/$/, '');
}

runCommand(main);
