import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, expect, test } from '@jest/globals';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import { ensureTables } from '../../../local/aws/ledger-table.ts';
import { connectDynamoDb, freshPrefix } from '../../support/engines.ts';

const client = connectDynamoDb();
afterAll(() => client.destroy());

const text = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });
const keys = (hash: string, range: string) => [
  { AttributeName: hash, KeyType: 'HASH' as const },
  { AttributeName: range, KeyType: 'RANGE' as const },
];
const index = (IndexName: string, hash: string, range: string) => ({
  IndexName,
  KeySchema: keys(hash, range),
  Projection: { ProjectionType: 'KEYS_ONLY' as const },
});
const MEMBERS = index('members', 'groupId', 'userId');

/** A template with one table, which has these indexes. */
const templateOf = (TableName: string, indexes: readonly object[]): Template => ({
  stackName: 'a-stack',
  resources: [
    {
      logicalId: 'Ledger',
      type: 'AWS::DynamoDB::Table',
      properties: {
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: ['PK', 'SK', 'groupId', 'userId', 'dueShard', 'due'].map(text),
        KeySchema: keys('PK', 'SK'),
        GlobalSecondaryIndexes: indexes,
        StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      },
    },
  ],
  identityOf: () => ({ ref: TableName, attributes: {} }),
  assetDirectory: () => undefined,
});

/** A table of an earlier version, with one item. */
async function anOldTable(use: (TableName: string) => Promise<void>): Promise<void> {
  const TableName = freshPrefix('old');
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['PK', 'SK', 'groupId', 'userId'].map(text),
      KeySchema: keys('PK', 'SK'),
      GlobalSecondaryIndexes: [MEMBERS],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  const item = { PK: { S: 'GROUP#tea' }, SK: { S: 'MSG#1' }, dueShard: { S: '1' }, due: { S: '7' } };
  await client.send(new PutItemCommand({ TableName, Item: item }));
  await use(TableName);
  await client.send(new DeleteTableCommand({ TableName }));
}

test('a table of an earlier version keeps its items and its stream, and gets the index that it lacks', () =>
  anOldTable(async (TableName) => {
    const streamOf = async () =>
      (await client.send(new DescribeTableCommand({ TableName }))).Table?.LatestStreamArn;
    const before = await streamOf();
    await ensureTables(
      client,
      templateOf(TableName, [MEMBERS, index('reminders', 'dueShard', 'due')]),
      false,
    );
    const { Items } = await client.send(
      new QueryCommand({
        TableName,
        IndexName: 'reminders',
        KeyConditionExpression: 'dueShard = :shard',
        ExpressionAttributeValues: { ':shard': { S: '1' } },
      }),
    );
    expect(Items).toMatchObject([{ PK: { S: 'GROUP#tea' }, SK: { S: 'MSG#1' } }]);
    expect(await streamOf()).toBe(before);
  }));

test.each([
  ['an index that the template does not have', [index('reminders', 'dueShard', 'due')]],
  ['an index with other keys', [index('members', 'userId', 'groupId')]],
])('a table with %s is refused', (_what, indexes) =>
  anOldTable(async (TableName) => {
    await expect(ensureTables(client, templateOf(TableName, indexes), false)).rejects.toThrow(
      'The data is from another version of the table; start once with --fresh.',
    );
  }),
);
