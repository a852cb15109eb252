import { parseArgs } from 'node:util';
import { runCommand } from './command.ts';
import { consoleLog } from './log.ts';
import { startStack } from './stack.ts';
import { UsageError } from './usage-error.ts';

const DEFAULT_PORT = 3000;
const DEFAULT_DATA = '.tidemark';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(DEFAULT_PORT) },
      data: { type: 'string', default: DEFAULT_DATA },
      fresh: { type: 'boolean', default: false },
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
