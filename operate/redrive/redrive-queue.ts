import { setTimeout as delay } from 'node:timers/promises';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  type Message,
  ReceiveMessageCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import type { Clients } from './clients.ts';
import { type Parked, parkedIn } from './parked-message.ts';
import { labelOf, type ParkedQueue } from './parked-queues.ts';
import { readBatch } from './stream-batch.ts';

/** The result for the messages of one queue. */
export interface Redriven {
  /** False if the deployment has no such queue. */
  readonly exists: boolean;
  readonly sentAgain: number;
  /** The reason for each message that was left in the queue. */
  readonly left: readonly string[];
}

const ABSENT: Redriven = { exists: false, sentAgain: 0, left: [] };

/** The most messages of one queue in one run. The next run continues. */
const MOST_MESSAGES = 10_000;

/** Usually longer than the invocations for ten messages. Other receivers see the messages only afterwards. */
const VISIBILITY_SECONDS = 900;

const MOVE_DEADLINE_MS = 15 * 60_000;
const MOVE_POLL_MS = 500;

/** The most records in one invocation, as in the stream's event source. */
const BATCH_SIZE = 100;

/** Sends the messages of a queue again. Handled messages leave the queue. A message may be handled twice. */
export async function redriveQueue(
  clients: Clients,
  stackName: string,
  queue: ParkedQueue,
): Promise<Redriven> {
  const url = await urlOf(clients, `${stackName}-${labelOf(queue)}`);
  if (url === null) return ABSENT;
  return queue.from === 'queue'
    ? moveBack(clients, url, `${stackName}-${queue.functionName}`)
    : invokeAgain(clients, url, stackName, queue);
}

/** Names the destination, because the rule and the function also send to this queue: those messages have no source queue. */
async function moveBack({ sqs }: Clients, url: string, sourceName: string): Promise<Redriven> {
  const destinationUrl = await urlOf({ sqs }, sourceName);
  if (destinationUrl === null) throw new Error(`there is no queue ${sourceName}`);
  const [SourceArn, DestinationArn] = [await arnOf({ sqs }, url), await arnOf({ sqs }, destinationUrl)];
  await sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn }));
  const deadlineMs = performance.now() + MOVE_DEADLINE_MS;
  for (;;) {
    const task = await latestMove({ sqs }, SourceArn);
    const sentAgain = task?.ApproximateNumberOfMessagesMoved ?? 0;
    if (task?.Status === 'COMPLETED') return { exists: true, sentAgain, left: [] };
    if (task?.Status !== 'RUNNING') {
      const reason = task?.FailureReason ?? task?.Status ?? 'unknown';
      return { exists: true, sentAgain, left: [`the move ended: ${reason}`] };
    }
    if (performance.now() > deadlineMs) {
      return {
        exists: true,
        sentAgain,
        left: ['the move is still running; see aws sqs list-message-move-tasks'],
      };
    }
    await delay(MOVE_POLL_MS);
  }
}

async function latestMove({ sqs }: Pick<Clients, 'sqs'>, SourceArn: string) {
  const { Results = [] } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 10 }));
  return Results.toSorted((one, other) => Number(other.StartedTimestamp) - Number(one.StartedTimestamp))[0];
}

async function invokeAgain(
  clients: Clients,
  url: string,
  stackName: string,
  queue: ParkedQueue,
): Promise<Redriven> {
  const seen = new Set<string>();
  const records = new Set<string>();
  const left = new Map<Message, string>();
  let sentAgain = 0;
  while (seen.size < MOST_MESSAGES) {
    const messages = await receive(clients, url);
    if (messages.length === 0) break;
    for (const message of messages) {
      const id = message.MessageId ?? '';
      // A message that was left comes again: all messages have been received.
      if (seen.has(id)) continue;
      seen.add(id);
      const parked = parkedIn(message.Body ?? '', id);
      const isAgain = parked.kind === 'record' && records.has(parked.sequenceNumber);
      if (parked.kind === 'record') records.add(parked.sequenceNumber);
      const problem = isAgain
        ? 'a record came to the dead-letter queue again'
        : await handOver(clients, `${stackName}-${queue.functionName}`, queue, parked);
      if (problem !== null) {
        left.set(message, problem);
      } else {
        await clients.sqs.send(
          new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }),
        );
        sentAgain += 1;
      }
    }
  }
  for (const message of left.keys()) await show(clients, url, message);
  return { exists: true, sentAgain, left: [...left.values()] };
}

/** Invokes the function with the content of a message. Returns null, or the reason why the message stays. */
async function handOver(
  clients: Clients,
  functionName: string,
  queue: ParkedQueue,
  parked: Parked,
): Promise<string | null> {
  switch (parked.kind) {
    case 'unknown':
      return parked.reason;
    case 'event':
      return invoke(clients, functionName, parked.event);
    case 'record':
      return invoke(clients, functionName, { Records: [parked.record] });
    case 'batch': {
      const records = await readBatch(clients.streams, parked.batch);
      if (!records) return `the stream keeps records for a day, and these are gone: ${queue.forgotten}`;
      for (let start = 0; start < records.length; start += BATCH_SIZE) {
        const problem = await invoke(clients, functionName, {
          Records: records.slice(start, start + BATCH_SIZE),
        });
        if (problem !== null) return problem;
      }
      return null;
    }
  }
}

async function invoke({ lambda }: Clients, FunctionName: string, event: unknown): Promise<string | null> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName, Payload: Buffer.from(JSON.stringify(event)) }),
  );
  const answer = JSON.parse(Buffer.from(Payload ?? []).toString() || 'null') as {
    errorMessage?: string;
    batchItemFailures?: unknown[];
  } | null;
  if (FunctionError) return `${FunctionName} failed: ${answer?.errorMessage ?? FunctionError}`;
  const failures = answer?.batchItemFailures?.length ?? 0;
  return failures > 0 ? `${FunctionName} reported ${failures} failed records` : null;
}

async function receive({ sqs }: Clients, QueueUrl: string): Promise<Message[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: VISIBILITY_SECONDS,
      // Without a wait, SQS reads only some of its servers, and a queue with messages may seem empty.
      WaitTimeSeconds: 2,
    }),
  );
  return Messages;
}

/** Makes a message visible at once, if its receipt handle is still valid. */
async function show({ sqs }: Clients, QueueUrl: string, { ReceiptHandle }: Message): Promise<void> {
  const command = new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });
  await sqs.send(command).catch(() => undefined);
}

async function urlOf({ sqs }: Pick<Clients, 'sqs'>, QueueName: string): Promise<string | null> {
  try {
    return (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? null;
  } catch (error) {
    if (error instanceof Error && /QueueDoesNotExist|NonExistentQueue/.test(error.name)) return null;
    throw error;
  }
}

async function arnOf({ sqs }: Pick<Clients, 'sqs'>, QueueUrl: string): Promise<string> {
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  if (!Attributes?.QueueArn) throw new Error(`${QueueUrl} has no ARN`);
  return Attributes.QueueArn;
}
