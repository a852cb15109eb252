import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { expect, test } from '@jest/globals';
import * as v from 'valibot';
import { streamSourcesOf } from '../../../local/aws/cloudformation/properties.ts';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import type { Callers } from '../../../local/aws/iam/callers.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import { Lambda } from '../../../local/aws/lambda/lambda.ts';
import { MessageStore } from '../../../local/aws/queues/message-store.ts';
import { Queues } from '../../../local/aws/queues/queues.ts';
import { Checkpoints } from '../../../local/aws/streams/checkpoints.ts';
import { StreamPoller } from '../../../local/aws/streams/stream-poller.ts';
import { silentLog } from '../../../local/command/log.ts';
import { readBatch, StreamBatch } from '../../../operate/redrive/stream-batch.ts';
import {
  connectDynamoDb,
  createLedgerTable,
  engines,
  eventually,
  freshPrefix,
  ownCredentials,
} from '../../support/engines.ts';

const DEAD = 'arn:aws:sqs:us-east-1:000000000000:dead';
const tableName = freshPrefix('t');

const template: Template = {
  stackName: 'poller',
  resources: [
    {
      logicalId: 'failing',
      type: 'AWS::Lambda::Function',
      properties: {
        FunctionName: 'failing',
        Handler: 'probe.failing',
        Role: 'arn:of:a-role',
        Runtime: 'nodejs24.x',
        MemorySize: 128,
        Timeout: 30,
        Code: { S3Bucket: 'assets', S3Key: 'probe' },
      },
    },
    { logicalId: 'dead', type: 'AWS::SQS::Queue', properties: { QueueName: 'dead' } },
    {
      logicalId: 'source',
      type: 'AWS::Lambda::EventSourceMapping',
      properties: {
        EventSourceArn: `arn:aws:dynamodb:us-east-1:000000000000:table/${tableName}/stream/local`,
        FunctionName: 'failing',
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 100,
        MaximumBatchingWindowInSeconds: 0,
        ParallelizationFactor: 1,
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 0,
        MaximumRecordAgeInSeconds: 3_600,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        DestinationConfig: { OnFailure: { Destination: DEAD } },
      },
    },
  ],
  identityOf: (name) => ({
    ref: name,
    attributes: { Arn: name === 'dead' ? DEAD : `arn:aws:lambda:us-east-1:000000000000:function:${name}` },
  }),
  assetDirectory: () => fileURLToPath(new URL('./fixtures', import.meta.url)),
};

test('a record that is given up is named by its place in the stream, where it can be read again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-poller-'));
  const dynamodb = connectDynamoDb();
  const streams = new DynamoDBStreamsClient({
    endpoint: engines.dynamodbEndpoint,
    region: 'us-east-1',
    credentials: ownCredentials,
  });
  const store = new MessageStore(join(directory, 'queues.jsonl'));
  const queues = new Queues(template, store, { nowMs: Date.now, speed: 1 });
  const Statement = [{ Effect: 'Allow' as const, Action: ['*'], Resource: ['*'] }];
  const principal = new Principal('arn:of:failing', [{ Version: '2012-10-17', Statement }]);
  const caller = { accessKeyId: 'any', secretAccessKey: 'any', principal };
  const callers = { ofFunction: () => caller } as unknown as Callers;
  const lambda = new Lambda(template, { environment: {}, callers, queues, speed: 1, log: silentLog });
  const checkpoints = new Checkpoints(join(directory, 'checkpoints.json'));
  const [source] = streamSourcesOf(template);
  if (!source) throw new Error('the template has a source');
  const polling = { dynamodb, streams, tableName, lambda, callers, queues, checkpoints, log: silentLog };
  const poller = new StreamPoller(source, polling);
  try {
    await createLedgerTable(tableName);
    for (const name of ['a', 'b']) {
      const Item = { PK: { S: name }, SK: { S: name }, value: { S: name } };
      await dynamodb.send(new PutItemCommand({ TableName: tableName, Item }));
    }
    await poller.start();
    const messages = await eventually(() => {
      const letters = queues.deadLetters.map(({ message }) => message);
      expect(letters).toHaveLength(2);
      return letters;
    });
    const images = [];
    for (const message of messages) {
      expect(message).toMatchObject({
        requestContext: {
          functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:failing',
          condition: 'RetryAttemptsExhausted',
        },
        DDBStreamBatchInfo: { batchSize: 1 },
      });
      const { DDBStreamBatchInfo } = v.parse(v.object({ DDBStreamBatchInfo: StreamBatch }), message);
      images.push(await readBatch(streams, DDBStreamBatchInfo));
    }
    const recordOf = (name: string) => [
      {
        eventName: 'INSERT',
        eventSource: 'aws:dynamodb',
        dynamodb: { Keys: { PK: { S: name } }, NewImage: { value: { S: name } } },
      },
    ];
    expect(images).toMatchObject([recordOf('a'), recordOf('b')]);
  } finally {
    const stopped = poller.stop();
    await lambda.stop();
    await stopped;
    dynamodb.destroy();
    streams.destroy();
    store.close();
    rmSync(directory, { recursive: true });
  }
});
