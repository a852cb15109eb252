import { DEFAULT_DATA, readArguments, runCommand } from './command.ts';
import { consoleLog } from './log.ts';
import { onceNpmIsGone } from './npm-process.ts';
import { startStack } from './stack.ts';
import { UsageError } from './usage-error.ts';

const DEFAULT_PORT = 3000;

const HELP = `
npm run dev -- [options]

Starts the whole of Tidemark on this machine and prints "Tidemark ready on <URL>" once it answers.
Ctrl-C, SIGTERM, or the end of npm stops it with everything that it started. The data stays for the next start.

Options
  --port N      the port to answer on, ${DEFAULT_PORT} by default; 0 picks a free one
  --data DIR    where the data is kept, ${DEFAULT_DATA} by default
  --fresh       forgets the data of earlier starts; tokens stay good
  -h, --help    prints this

Environment
  DYNAMODB_ENDPOINT    a DynamoDB Local that runs already, such as http://127.0.0.1:8000
  REDIS_URL            a Redis that runs already, such as redis://127.0.0.1:6379
  JAVA_HOME            the Java (17 or newer) for DynamoDB Local, instead of the one on the PATH

It prints how far the start is, then where everything is, then one line for each request and delivery.
<data directory>/dev.json has the same for programs, with the credentials of a back end.
GET <URL>/_local/events lists what went over the bus, GET <URL>/_local/notifications what the webhook received.
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
        fresh: { type: 'boolean', default: false },
      },
    },
  });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535)
    throw new UsageError('--port takes a number from 0 to 65535.');

  const starting = startStack({
    port,
    dataDirectory: values.data,
    fresh: values.fresh,
    log: consoleLog(),
    step: (text) => console.log(text),
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
  console.log(`Webhook    ${description.apiUrl}/_local/notifications shows what it received`);
  console.log(`Tidemark ready on ${description.apiUrl}`);
}

/** What is printed may be kept in logs that others read. */
function withoutPassword(url: string): string {
  const printed = new URL(url);
  printed.password = '';
  return printed.href.replace(/\/$/, '');
}

runCommand(main);
