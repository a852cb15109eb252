import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type AwsEndpoint, startAwsEndpoint } from '../../../local/aws-endpoint.ts';
import { type DeadLetter, DeadLetters } from '../../../local/events/dead-letters.ts';
import { Journal } from '../../../local/events/journal.ts';
import { Principal } from '../../../local/iam/principal.ts';

const QUEUE = 'https://sqs.us-east-1.amazonaws.com/000000000000/known';
const ROLE = 'arn:aws:sts::000000000000:assumed-role/a-role/a-function';

let directory: string;
let journal: Journal<DeadLetter>;
let endpoint: AwsEndpoint;
let client: SQSClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-aws-endpoint-'));
  journal = new Journal(join(directory, 'dead-letters.jsonl'));
  const credentials = { accessKeyId: 'TheAccessKey', secretAccessKey: 'of-the-functions' };
  const sending = (Effect: 'Allow' | 'Deny', queue: string) => ({
    ...{ Effect, Action: ['sqs:SendMessage'], Resource: [`arn:aws:sqs:us-east-1:${queue}`] },
  });
  const Statement = [sending('Allow', '*'), sending('Deny', '000000000000:forbidden')];
  const caller = { ...credentials, principal: new Principal(ROLE, [{ Version: '2012-10-17', Statement }]) };
  endpoint = await startAwsEndpoint();
  endpoint.serve({
    callers: { byAccessKeyId: (id) => (id === caller.accessKeyId ? caller : undefined) },
    deadLetters: new DeadLetters(journal, ['known']),
    secrets: { get: () => undefined },
    bus: { put: () => [] },
  });
  client = new SQSClient({
    endpoint: endpoint.url,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client.destroy();
  await endpoint.close();
  journal.close();
  await rm(directory, { recursive: true });
});

const send = (MessageBody: string, QueueUrl = QUEUE) =>
  client.send(new SendMessageCommand({ QueueUrl, MessageBody }));

test('a message to a queue of the template is among the dead letters', async () => {
  expect(await send('{"reason":"no valid public","sequenceNumber":"7"}')).toMatchObject({
    MessageId: expect.any(String),
  });
  await send('no JSON: ü');
  expect(journal.entries).toMatchObject([
    {
      queue: 'arn:aws:sqs:us-east-1:000000000000:known',
      message: { reason: 'no valid public', sequenceNumber: '7' },
      reason: 'no valid public',
    },
    { queue: 'arn:aws:sqs:us-east-1:000000000000:known', message: 'no JSON: ü', reason: '' },
  ]);
});

test.each([
  ['an unknown queue', 'x', 'https://sqs.us-east-1.amazonaws.com/000000000000/unknown', 'QueueDoesNotExist'],
  ['a queue of another account', 'x', 'https://sqs.us-east-1.amazonaws.com/1/known', 'QueueDoesNotExist'],
  ['an empty message', '', QUEUE, 'InvalidParameterValue'],
  ['a message of more bytes than a queue takes', 'ü'.repeat(131_073), QUEUE, 'InvalidParameterValue'],
])('%s is refused', async (_what, body, queueUrl, name) => {
  const before = journal.entries.length;
  await expect(send(body, queueUrl)).rejects.toMatchObject({ name });
  expect(journal.entries).toHaveLength(before);
});

test('a message that the sender may not send is refused as SQS does', async () => {
  await expect(send('x', 'https://sqs.us-east-1.amazonaws.com/000000000000/forbidden')).rejects.toMatchObject(
    {
      name: 'AccessDenied',
      message:
        `User: ${ROLE} is not authorized to perform: sqs:sendmessage on resource: ` +
        'arn:aws:sqs:us-east-1:000000000000:forbidden with an explicit deny in an identity-based policy',
      $metadata: { httpStatusCode: 403 },
    },
  );
});

test('the largest message is taken', async () => {
  await expect(send('ü'.repeat(131_072))).resolves.toMatchObject({ MessageId: expect.any(String) });
});
