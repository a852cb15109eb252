import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type AwsEndpoint, startAwsEndpoint } from '../../../local/aws/endpoint.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import { MessageStore } from '../../../local/aws/queues/message-store.ts';
import { Queues } from '../../../local/aws/queues/queues.ts';
import { queueTemplate } from '../../support/queue-template.ts';

const DEAD = 'https://sqs.us-east-1.amazonaws.com/000000000000/dead';
const WORK = 'https://sqs.us-east-1.amazonaws.com/000000000000/work';
const ROLE = 'arn:aws:sts::000000000000:assumed-role/a-role/a-function';
const arnOf = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;

let directory: string;
let store: MessageStore;
let queues: Queues;
let endpoint: AwsEndpoint;
let client: SQSClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-aws-endpoint-'));
  store = new MessageStore(join(directory, 'queues.jsonl'));
  queues = new Queues(queueTemplate(), store, { nowMs: Date.now, speed: 60 });
  const credentials = { accessKeyId: 'TheAccessKey', secretAccessKey: 'of-the-functions' };
  const Resource = ['000000000000:work', '000000000000:dead', '*:unknown', '000000000000:none', '1:dead'].map(
    (queue) => `arn:aws:sqs:us-east-1:${queue}`,
  );
  const Statement = [{ Effect: 'Allow' as const, Action: ['sqs:*'], Resource }];
  const caller = { ...credentials, principal: new Principal(ROLE, [{ Version: '2012-10-17', Statement }]) };
  endpoint = await startAwsEndpoint();
  endpoint.serve({
    callers: { byAccessKeyId: (id) => (id === caller.accessKeyId ? caller : undefined) },
    queues,
    secrets: { get: () => undefined },
    bus: { put: () => [] },
    webSockets: null,
    lambda: { has: () => false, invoke: () => Promise.reject(new Error('there is no function')) },
  });
  client = new SQSClient({
    endpoint: endpoint.url,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
    useQueueUrlAsEndpoint: false,
  });
});
beforeEach(() => {
  for (const { id } of [...store.all]) store.delete(id);
});
afterAll(async () => {
  client.destroy();
  await endpoint.close();
  store.close();
  await rm(directory, { recursive: true });
});

const send = (MessageBody: string, QueueUrl = DEAD) =>
  client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
const receive = (QueueUrl = WORK, WaitTimeSeconds = 0) =>
  client.send(
    new ReceiveMessageCommand({
      ...{ QueueUrl, WaitTimeSeconds, MaxNumberOfMessages: 10 },
    }),
  );

test('a message to a dead-letter queue is among the dead letters', async () => {
  expect(await send('{"reason":"no valid public","sequenceNumber":"7"}')).toMatchObject({
    MessageId: expect.any(String),
  });
  await send('no JSON: ü');
  await send('to be worked off', WORK);
  expect(queues.deadLetters).toMatchObject([
    {
      queue: arnOf('dead'),
      message: { reason: 'no valid public', sequenceNumber: '7' },
      reason: 'no valid public',
    },
    { queue: arnOf('dead'), message: 'no JSON: ü', reason: '' },
  ]);
});

test.each([
  ['an unknown queue', 'x', 'https://sqs.us-east-1.amazonaws.com/000000000000/unknown', 'QueueDoesNotExist'],
  ['a queue of another account', 'x', 'https://sqs.us-east-1.amazonaws.com/1/dead', 'QueueDoesNotExist'],
  ['an empty message', '', DEAD, 'InvalidParameterValue'],
  ['a message of more bytes than a queue takes', 'ü'.repeat(131_073), DEAD, 'InvalidParameterValue'],
])('%s is refused', async (_what, body, queueUrl, name) => {
  await expect(send(body, queueUrl)).rejects.toMatchObject({ name });
  expect(queues.deadLetters).toEqual([]);
});

test('a message that the sender may not send is refused as SQS does', async () => {
  await expect(send('x', 'https://sqs.us-east-1.amazonaws.com/000000000000/forbidden')).rejects.toMatchObject(
    {
      name: 'AccessDenied',
      message:
        `User: ${ROLE} is not authorized to perform: sqs:sendmessage on resource: ` +
        'arn:aws:sqs:us-east-1:000000000000:forbidden because no identity-based policy allows the sqs:sendmessage action',
      $metadata: { httpStatusCode: 403 },
    },
  );
});

test('the largest message is taken', async () => {
  await expect(send('ü'.repeat(131_072))).resolves.toMatchObject({ MessageId: expect.any(String) });
});

const sendBatch = (...bodies: string[]) =>
  client.send(
    new SendMessageBatchCommand({
      QueueUrl: WORK,
      Entries: bodies.map((MessageBody, index) => ({ Id: `m${index}`, MessageBody })),
    }),
  );

test('a batch is sent, but for the messages that a queue does not take', async () => {
  const { Successful, Failed } = await sendBatch('a', '', 'c');
  expect(Successful?.map(({ Id }) => Id)).toEqual(['m0', 'm2']);
  expect(Failed).toEqual([{ Id: 'm1', Code: 'InvalidParameterValue', SenderFault: true }]);
  const { Messages = [] } = await receive();
  expect(Messages.map(({ Body }) => Body)).toEqual(['a', 'c']);
});

test.each([
  ['of more bytes than a queue takes', ['a'.repeat(131_073), 'b'.repeat(131_072)], 'BatchRequestTooLong'],
  ['of more than ten messages', Array.from({ length: 11 }, () => 'a'), 'ValidationException'],
])('a batch %s is refused', async (_what, bodies, name) => {
  await expect(sendBatch(...bodies)).rejects.toMatchObject({ name });
  expect((await receive()).Messages ?? []).toEqual([]);
});

test('a message is kept with its attributes, received, hidden, and deleted', async () => {
  await client.send(
    new SendMessageCommand({
      QueueUrl: WORK,
      MessageBody: 'a',
      MessageAttributes: { ERROR_MESSAGE: { DataType: 'String', StringValue: 'why' } },
    }),
  );
  const { Messages: [message] = [] } = await receive();
  expect(message).toMatchObject({ Body: 'a' });
  const [{ attributes, receiveCount } = {}] = queues.get(arnOf('work')).messages();
  expect({ attributes, receiveCount }).toEqual({ attributes: { ERROR_MESSAGE: 'why' }, receiveCount: 1 });
  expect((await receive()).Messages ?? []).toEqual([]);
  const ReceiptHandle = message?.ReceiptHandle;
  await client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: WORK, ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const { Messages: [again] = [] } = await receive();
  expect(again).toMatchObject({ Body: 'a' });
  expect(queues.get(arnOf('work')).messages()).toMatchObject([{ receiveCount: 2 }]);
  await client.send(new DeleteMessageCommand({ QueueUrl: WORK, ReceiptHandle: again?.ReceiptHandle }));
  expect(queues.get(arnOf('work')).messages()).toEqual([]);
});

test('a batch of pauses says which entries were not taken', async () => {
  await send('a', WORK);
  const { Messages: [a] = [] } = await receive();
  const changed = await client.send(
    new ChangeMessageVisibilityBatchCommand({
      QueueUrl: WORK,
      Entries: [
        { Id: '0', ReceiptHandle: a?.ReceiptHandle, VisibilityTimeout: 43_200 },
        { Id: '1', ReceiptHandle: 'of no message', VisibilityTimeout: 10 },
      ],
    }),
  );
  expect(changed).toMatchObject({
    Successful: [{ Id: '0' }],
    Failed: [{ Id: '1', Code: 'MessageNotInflight' }],
  });
});

test('a pause of more than twelve hours is refused, as SQS does', async () => {
  const tooLong = new ChangeMessageVisibilityCommand({
    ...{ QueueUrl: WORK, ReceiptHandle: 'x', VisibilityTimeout: 43_201 },
  });
  await expect(client.send(tooLong)).rejects.toMatchObject({ name: 'ValidationException' });
});

test('a long poll ends with the message that it waited for', async () => {
  const polled = receive(WORK, 20);
  await send('at last', WORK);
  expect((await polled).Messages).toMatchObject([{ Body: 'at last' }]);
});

test('a delayed message is received after its delay', async () => {
  await client.send(new SendMessageCommand({ QueueUrl: WORK, MessageBody: 'delayed', DelaySeconds: 1 }));
  const [{ sentAtMs = 0, visibleAtMs = 0 } = {}] = queues.get(arnOf('work')).messages();
  expect(visibleAtMs - sentAtMs).toBe(1_000);
  expect((await receive()).Messages ?? []).toEqual([]);
  expect((await receive(WORK, 20)).Messages).toMatchObject([{ Body: 'delayed' }]);
});

test('a delay of more than fifteen minutes is refused, as SQS does', async () => {
  const tooLong = new SendMessageCommand({ QueueUrl: WORK, MessageBody: 'a', DelaySeconds: 901 });
  await expect(client.send(tooLong)).rejects.toMatchObject({ name: 'ValidationException' });
});

test('a queue is found by its name, and has an ARN', async () => {
  expect(await client.send(new GetQueueUrlCommand({ QueueName: 'work' }))).toMatchObject({ QueueUrl: WORK });
  await expect(client.send(new GetQueueUrlCommand({ QueueName: 'none' }))).rejects.toMatchObject({
    name: 'QueueDoesNotExist',
  });
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: WORK, AttributeNames: ['QueueArn'] }),
  );
  expect(Attributes).toEqual({ QueueArn: arnOf('work') });
});

test.each([
  [
    'all attributes of a queue',
    () => new GetQueueAttributesCommand({ QueueUrl: WORK, AttributeNames: ['All'] }),
  ],
  [
    'the counts of a queue',
    () => new GetQueueAttributesCommand({ QueueUrl: WORK, AttributeNames: ['ApproximateNumberOfMessages'] }),
  ],
  ['a move without a destination', () => new StartMessageMoveTaskCommand({ SourceArn: arnOf('dead') })],
])('%s is refused, since nothing here asks for it', async (_what, command) => {
  await expect(client.send(command() as GetQueueAttributesCommand)).rejects.toMatchObject({
    name: 'ValidationException',
  });
});

test('an operation that nothing here calls is refused', async () => {
  const Entries = [{ Id: '0', ReceiptHandle: 'x' }];
  await expect(client.send(new DeleteMessageBatchCommand({ QueueUrl: WORK, Entries }))).rejects.toMatchObject(
    { name: 'UnknownOperationException' },
  );
});

test('dead letters are moved back to their queue', async () => {
  await send('a');
  await client.send(
    new StartMessageMoveTaskCommand({ SourceArn: arnOf('dead'), DestinationArn: arnOf('work') }),
  );
  expect(
    await client.send(new ListMessageMoveTasksCommand({ SourceArn: arnOf('dead'), MaxResults: 1 })),
  ).toMatchObject({
    Results: [{ Status: 'COMPLETED', DestinationArn: arnOf('work'), ApproximateNumberOfMessagesMoved: 1 }],
  });
  expect((await receive()).Messages).toMatchObject([{ Body: 'a' }]);
});

test('only a dead-letter queue of a queue can be moved', async () => {
  const start = new StartMessageMoveTaskCommand({ SourceArn: arnOf('work'), DestinationArn: arnOf('dead') });
  await expect(client.send(start)).rejects.toMatchObject({ name: 'UnsupportedOperation' });
});
