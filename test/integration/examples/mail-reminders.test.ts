import { CreateTableCommand, DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { connectDynamoDb, engines, freshPrefix, ownCredentials } from '../../support/engines.ts';
import { type MailService, startMailService } from '../../support/mail-service.ts';

const TableName = freshPrefix('mailed');
const client = connectDynamoDb();
let service: MailService;
let handler: (event: SQSEvent) => Promise<SQSBatchResponse>;

beforeAll(async () => {
  service = await startMailService();
  const keys = ['userId', 'message'] as const;
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [
        { AttributeName: 'userId', KeyType: 'HASH' },
        { AttributeName: 'message', KeyType: 'RANGE' },
      ],
    }),
  );
  Object.assign(process.env, {
    ...{ TABLE_NAME: TableName, MAIL_URL: service.url, AWS_REGION: 'us-east-1' },
    ...{ AWS_ENDPOINT_URL_DYNAMODB: engines.dynamodbEndpoint },
    AWS_ACCESS_KEY_ID: ownCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ownCredentials.secretAccessKey,
  });
  ({ handler } = await import('../../../examples/reminders/mail-reminders.ts'));
});
afterAll(async () => {
  await service.stop();
  await client.send(new DeleteTableCommand({ TableName }));
  client.destroy();
});
beforeEach(() => {
  service.mails.length = 0;
  service.refused.clear();
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});

/** A batch of the queue, with one record for each reminder. */
const batch = (...reminders: readonly (readonly [groupId: string, messageId: string, userIds: string[]])[]) =>
  ({
    Records: reminders.map(([groupId, messageId, userIds], index) => ({
      messageId: `record-${index}`,
      body: JSON.stringify({
        'detail-type': 'MessageStillUnread',
        detail: { version: '1', groupId, messageId, userIds, isLast: true },
      }),
    })),
  }) as SQSEvent;

test('a user gets one mail about all messages of a batch', async () => {
  const [ann, ben] = [freshPrefix('ann'), freshPrefix('ben')];
  expect(await handler(batch(['tea', '1', [ann, ben]], ['tea', '2', [ann]], ['attic', '7', [ann]]))).toEqual({
    batchItemFailures: [],
  });
  expect(service.mails).toEqual([
    {
      userId: ann,
      messages: [
        { groupId: 'tea', messageId: '1' },
        { groupId: 'tea', messageId: '2' },
        { groupId: 'attic', messageId: '7' },
      ],
    },
    { userId: ben, messages: [{ groupId: 'tea', messageId: '1' }] },
  ]);
});

test('a repeated event sends no second mail, in one batch and in a later one', async () => {
  const ann = freshPrefix('ann');
  await handler(batch(['tea', '1', [ann]], ['tea', '1', [ann]]));
  await handler(batch(['tea', '1', [ann]]));
  expect(service.mails).toEqual([{ userId: ann, messages: [{ groupId: 'tea', messageId: '1' }] }]);
  await handler(batch(['tea', '1', [ann]], ['tea', '2', [ann]]));
  expect(service.mails[1]).toEqual({ userId: ann, messages: [{ groupId: 'tea', messageId: '2' }] });
});

test('a mail that fails comes again with its records, and the other users get no second one', async () => {
  const [ann, ben] = [freshPrefix('ann'), freshPrefix('ben')];
  service.refused.add(ann);
  const reminders = batch(['tea', '1', [ann, ben]], ['tea', '2', [ben]]);
  expect(await handler(reminders)).toEqual({ batchItemFailures: [{ itemIdentifier: 'record-0' }] });
  expect(service.mails.map(({ userId }) => userId)).toEqual([ben]);
  service.refused.clear();
  expect(await handler(reminders)).toEqual({ batchItemFailures: [] });
  expect(service.mails.map(({ userId }) => userId)).toEqual([ben, ann]);
});

test('an event without users, which only says that it is the last one, sends nothing', async () => {
  expect(await handler(batch(['tea', '1', []]))).toEqual({ batchItemFailures: [] });
  expect(service.mails).toEqual([]);
});
