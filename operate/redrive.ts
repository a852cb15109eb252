import { credentialsOf } from '../local/aws/credentials.ts';
import { OPERATOR } from '../local/aws/iam/callers.ts';
import { Secrets } from '../local/aws/secrets.ts';
import { DEFAULT_DATA, readArguments, runCommand } from '../local/command/command.ts';
import { UsageError } from '../local/command/usage-error.ts';
import { DataDirectory } from '../local/data/data-directory.ts';
import { createClients, type Place } from './redrive/clients.ts';
import { labelOf, PARKED_QUEUES, type ParkedQueue } from './redrive/parked-queues.ts';
import { type Redriven, redriveQueue } from './redrive/redrive-queue.ts';

const HELP = `
npm run redrive -- [options] [QUEUE...]

Sends the messages of the dead-letter queues again: events, facts and records of the ledger's stream. A handled message
leaves its queue. The others stay, and the line of their queue has the reason. Handling a message twice does no harm.

Queues, all of them by default
${PARKED_QUEUES.map((queue) => `  ${labelOf(queue)}`).join('\n')}

Options
  --stage NAME    the stage of the deployment, prod by default; local is the stack on this machine
  --region R      the region of the deployment, by default from the environment
  --data DIR      with --stage local, the data directory of the stack, ${DEFAULT_DATA} by default
  -h, --help      prints this

Credentials come from the environment, as for the AWS command line. They need, on the queues: sqs:GetQueueUrl,
GetQueueAttributes, ReceiveMessage, DeleteMessage, ChangeMessageVisibility, StartMessageMoveTask, ListMessageMoveTasks and
SendMessage; lambda:InvokeFunction; on the ledger's stream: dynamodb:GetShardIterator and GetRecords.
It exits with 1 if a message was left.
`;

async function main(): Promise<void> {
  const { values, positionals } = readArguments({
    name: 'redrive',
    help: HELP,
    takes: {
      allowPositionals: true,
      options: {
        stage: { type: 'string', default: 'prod' },
        region: { type: 'string' },
        data: { type: 'string' },
      },
    },
  });
  const { stage, region, data } = values;
  const isLocal = stage === 'local';
  if (data !== undefined && !isLocal) throw new UsageError('--data needs --stage local.');
  const chosen = positionals.length > 0 ? positionals.map(queueNamed) : PARKED_QUEUES;
  const clients = createClients(isLocal ? await localPlace(data ?? DEFAULT_DATA) : { region });
  for (const queue of chosen) {
    const line = await redriveQueue(clients, `tidemark-${stage}`, queue).then(summaryOf, failureOf);
    if (line.isIncomplete) process.exitCode = 1;
    console.log(`${labelOf(queue).padEnd(28)} ${line.text}`);
  }
  for (const client of Object.values(clients)) client.destroy();
}

/** Finds a queue by its name or by the name of its function. */
function queueNamed(name: string): ParkedQueue {
  const queue = PARKED_QUEUES.find((one) => one.functionName === name || labelOf(one) === name);
  if (!queue) {
    const known = PARKED_QUEUES.map(labelOf).join(', ');
    throw new UsageError(`There is no dead-letter queue ${name}. There are ${known}.`);
  }
  return queue;
}

async function localPlace(data: string): Promise<Place> {
  const directory = new DataDirectory(data);
  const { eventbridge, dynamodb } = await directory.running();
  return {
    region: 'us-east-1',
    credentials: credentialsOf(new Secrets(directory.file('secrets.json')), OPERATOR),
    endpoint: eventbridge.endpoint,
    dynamodbEndpoint: dynamodb.endpoint,
  };
}

interface Line {
  readonly text: string;
  readonly isIncomplete: boolean;
}

function summaryOf({ exists, sentAgain, left }: Redriven): Line {
  if (!exists) return { text: 'is not part of this deployment', isIncomplete: false };
  const reasons = [...new Set(left)].join('; ');
  const rest = left.length > 0 ? `, ${left.length} left: ${reasons}` : '';
  return { text: `${sentAgain} sent again${rest}`, isIncomplete: left.length > 0 };
}

function failureOf(error: unknown): Line {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { text: `failed: ${text}`, isIncomplete: true };
}

runCommand(main);
