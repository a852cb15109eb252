import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { afterEach, describe, expect, test } from '@jest/globals';
import { credentialsOf } from '../../local/aws/credentials.ts';
import { OPERATOR } from '../../local/aws/iam/callers.ts';
import { Secrets } from '../../local/aws/secrets.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { INTERNAL_ERROR } from '../support/fault-proxy.ts';
import { positionText, withFaultStack } from '../support/fault-stack.ts';

// A day on AWS takes a second here.
const faults = withFaultStack({ speed: 86_400 });
afterEach(async () => {
  for (const proxy of Object.values(faults.proxies)) proxy.clear();
  for (const name of QUEUES) {
    for (const { id, receiveCount } of faults.queue(name).messages())
      faults.queue(name).delete(`${id}:${receiveCount}`);
  }
});

const QUEUES = ['apply-facts', 'deliver-webhook', 'erase', 'notify', 'project-ledger', 'publish-events'].map(
  (name) => `${name}-dead-letters`,
);

const parked = async (name: string) => {
  const letters = await faults.api.deadLetters();
  return letters.filter(({ queue: arn }) => arn.endsWith(`:tidemark-local-${name}-dead-letters`));
};

async function redrive(...args: string[]) {
  const command = ['operate/redrive.ts', '--stage', 'local', '--data', faults.dataDirectory, ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { lines: stdout.trim().split('\n'), stderr, code };
}

async function answerWith(status: number) {
  expect(await faults.call(null, 'PUT', '/_local/webhook', { status })).toMatchObject({ status: 200 });
}

test('empty queues are reported with 0 messages', async () => {
  expect(await redrive()).toEqual({
    lines: [
      'apply-facts-dead-letters     0 sent again',
      'deliver-webhook-dead-letters 0 sent again',
      'erase-dead-letters           0 sent again',
      'notify-dead-letters          0 sent again',
      'project-ledger-dead-letters  0 sent again',
      'publish-events-dead-letters  0 sent again',
      'push-frames-dead-letters     0 sent again',
      'send-reminders-dead-letters  0 sent again',
    ],
    stderr: '',
    code: 0,
  });
});

test('events that a webhook refused for a day are sent to it again', async () => {
  await answerWith(503);
  const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  expect((await faults.api.mark(groupId, 'ann', 3)).status).toBe(200);
  await eventually(async () => {
    const ofAnn = (await parked('deliver-webhook')).filter(({ message }) =>
      JSON.stringify(message).includes(`"groupId":"${groupId}","userId":"ann"`),
    );
    expect(ofAnn).toMatchObject([{ reason: 'received 32 times' }]);
    // Also those of the sender: no event is still on its way.
    expect(faults.queue('deliver-webhook').messages()).toEqual([]);
  });
  const refused = (await faults.api.notified(groupId, 'ann')).length;
  expect(refused).toBe(32);
  const count = (await parked('deliver-webhook')).length;

  await answerWith(200);
  expect(await redrive('deliver-webhook')).toEqual({
    lines: [`deliver-webhook-dead-letters ${count} sent again`],
    stderr: '',
    code: 0,
  });
  await eventually(async () => expect(await faults.api.notified(groupId, 'ann')).toHaveLength(refused + 1));
  expect(await parked('deliver-webhook')).toEqual([]);
});

test('facts that the ledger refused for a day are applied; one that is not valid is parked again', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  faults.proxies.dynamodb.always('UpdateItem', INTERNAL_ERROR);
  faults.putEvent('chat', 'MessageSent', { groupId, messageId: '4', senderId: 'ann' });
  faults.putEvent('chat', 'MessageSent', { groupId, messageId: 'none', senderId: 'ann' });
  await eventually(async () => expect(await parked('apply-facts')).toHaveLength(2));
  faults.proxies.dynamodb.clear();
  expect(await redrive('apply-facts-dead-letters')).toMatchObject({
    lines: ['apply-facts-dead-letters     2 sent again'],
    code: 0,
  });
  await eventually(async () => {
    expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(4));
    expect(await parked('apply-facts')).toMatchObject([{ message: { detail: { messageId: 'none' } } }]);
  });
});

test('an erasure that the ledger refused for a day goes on', async () => {
  const userId = freshPrefix('u');
  const groupId = await faults.api.openGroup(['sender', userId], 1);
  faults.proxies.dynamodb.always('Query', INTERNAL_ERROR);
  expect((await faults.api.asService('DELETE', `/v1/users/${userId}`)).status).toBe(202);
  await eventually(async () =>
    expect(await parked('erase')).toMatchObject([{ reason: 'received 32 times' }]),
  );
  faults.proxies.dynamodb.clear();
  expect(await redrive('erase')).toEqual({
    lines: ['erase-dead-letters           1 sent again'],
    stderr: '',
    code: 0,
  });
  await eventually(async () => {
    for (const sortKey of [`GROUP#${groupId}`, 'ERASURE']) {
      expect(await faults.ledgerItem(`USER#${userId}`, sortKey)).toBeUndefined();
    }
  });
});

test('an event that notify failed to handle is sent to it again', async () => {
  const event = { id: 'e1', 'detail-type': 'GroupFullyRead', source: 'tidemark', detail: {} };
  faults.queue('notify-dead-letters').send({ body: JSON.stringify(event) });
  faults.queue('notify-dead-letters').send({
    body: JSON.stringify({ requestContext: { condition: 'RetriesExhausted' }, requestPayload: event }),
  });
  faults.queue('notify-dead-letters').send({ body: 'no JSON' });
  expect(await redrive('notify')).toEqual({
    lines: ['notify-dead-letters          2 sent again, 1 left: a message is not JSON'],
    stderr: '',
    code: 1,
  });
  expect(await parked('notify')).toMatchObject([{ message: 'no JSON' }]);
});

describe('of the stream', () => {
  const published = (groupId: string) => faults.api.watermarkEvents(groupId, 'ann');

  /** A mark whose event was published, and its record in the stream. */
  async function aMark() {
    const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
    expect((await faults.api.mark(groupId, 'ann', 3)).status).toBe(200);
    await eventually(async () => expect(await published(groupId)).toHaveLength(1));
    return { groupId, ...(await recordOf(groupId)) };
  }

  async function recordOf(groupId: string) {
    const { dynamodb, credentials } = faults.stack.description;
    const client = { endpoint: dynamodb.endpoint, region: 'us-east-1', credentials };
    const secrets = new Secrets(join(faults.dataDirectory, 'secrets.json'));
    const operator = credentialsOf(secrets, OPERATOR);
    const [tables, streams] = [
      new DynamoDBClient(client),
      new DynamoDBStreamsClient({ ...client, credentials: operator }),
    ];
    const { Table } = await tables.send(new DescribeTableCommand({ TableName: dynamodb.table }));
    const StreamArn = Table?.LatestStreamArn;
    const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    for (const { ShardId } of StreamDescription?.Shards ?? []) {
      const { ShardIterator } = await streams.send(
        new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
      );
      const { Records = [] } = await streams.send(new GetRecordsCommand({ ShardIterator }));
      const record = Records.find(
        ({ eventName, dynamodb: change }) =>
          eventName === 'MODIFY' &&
          change?.NewImage?.groupId?.S === groupId &&
          change.NewImage.userId?.S === 'ann',
      );
      if (record) {
        tables.destroy();
        streams.destroy();
        return { record, shardId: ShardId, streamArn: StreamArn };
      }
    }
    throw new Error('the stream does not have the mark');
  }

  const sendBatch = (
    streamArn: string | undefined,
    shardId: string | undefined,
    sequenceNumber: string | undefined,
  ) =>
    faults.queue('publish-events-dead-letters').send({
      body: JSON.stringify({
        requestContext: { condition: 'RetryAttemptsExhausted' },
        DDBStreamBatchInfo: {
          ...{ streamArn, shardId, batchSize: 1 },
          ...{ startSequenceNumber: sequenceNumber, endSequenceNumber: sequenceNumber },
        },
      }),
    });

  test('records that Lambda gave up are read from the stream again', async () => {
    const { groupId, record, shardId, streamArn } = await aMark();
    // An instance does not publish an event twice. If it is killed too early, its batch may be published again.
    await faults.stack.lambda.kill(faults.functionName('publish-events'));
    sendBatch(streamArn, shardId, record.dynamodb?.SequenceNumber);
    expect(await redrive('publish-events')).toMatchObject({
      lines: ['publish-events-dead-letters  1 sent again'],
      code: 0,
    });
    const [first, ...again] = (await published(groupId)).map(({ detail }) => detail);
    expect(again).not.toEqual([]);
    for (const detail of again) expect(detail).toEqual(first);
    expect(await parked('publish-events')).toEqual([]);
  });

  test('records that are gone from the stream stay in the queue, and the loss is reported', async () => {
    const { streamArn } = await aMark();
    sendBatch(streamArn, 'shardId-00000000000000000000-00000000', '111100000000000000001');
    expect(await redrive('publish-events')).toMatchObject({
      lines: [
        'publish-events-dead-letters  0 sent again, 1 left: the stream keeps records for a day, and these are gone: ' +
          'these events are lost; the next event of the same member has its whole state; ' +
          'of an erasure that ended no event comes: repeat its DELETE',
      ],
      code: 1,
    });
    expect(await parked('publish-events')).toHaveLength(1);
  });

  test('a record that the function sent to the dead-letter queue is sent to it again', async () => {
    const { groupId, record } = await aMark();
    const { SequenceNumber, NewImage, OldImage } = record.dynamodb ?? {};
    faults.queue('publish-events-dead-letters').send({
      body: JSON.stringify({
        functionName: 'tidemark-local-publish-events',
        reason: 'no valid public',
        record: { dynamodb: { SequenceNumber, NewImage, OldImage } },
      }),
    });
    expect(await redrive('publish-events')).toMatchObject({
      lines: ['publish-events-dead-letters  1 sent again'],
    });
    expect(await published(groupId)).toHaveLength(2);
  });

  test('a record that still cannot be read is parked again, also by the instance that parked it before', async () => {
    const [groupId, userId] = [freshPrefix(), freshPrefix('u')];
    await faults.putItem({
      ...{ PK: { S: `USER#${userId}` }, SK: { S: `GROUP#${groupId}` }, kind: { S: 'membership' } },
      ...{ groupId: { S: groupId }, userId: { S: userId }, generation: { N: '1' }, public: { S: 'broken' } },
    });
    await eventually(async () => expect(await parked('project-ledger')).toHaveLength(1));
    for (const _time of ['once', 'again']) {
      expect(await redrive('project-ledger')).toMatchObject({
        lines: [
          'project-ledger-dead-letters  1 sent again, 1 left: a record came to the dead-letter queue again',
        ],
        code: 1,
      });
      expect(await parked('project-ledger')).toMatchObject([{ message: { key: { PK: `USER#${userId}` } } }]);
    }
  });
});

test('an unknown queue is reported with the names of all queues', async () => {
  expect(await redrive('deliver-webhooks')).toEqual({
    lines: [''],
    stderr:
      'There is no dead-letter queue deliver-webhooks. There are apply-facts-dead-letters, deliver-webhook-dead-letters, ' +
      'erase-dead-letters, notify-dead-letters, project-ledger-dead-letters, publish-events-dead-letters, push-frames-dead-letters, ' +
      'send-reminders-dead-letters.\n',
    code: 1,
  });
});
