import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { connectDynamoDb, createLedgerTable, freshPrefix } from '../support/engines.ts';

test('the ledger table has its index and its stream', async () => {
  const name = freshPrefix('ledger');
  await createLedgerTable(name);
  const client = connectDynamoDb();
  const { Table: table } = await client.send(new DescribeTableCommand({ TableName: name }));
  expect(table?.TableStatus).toBe('ACTIVE');
  expect(table?.StreamSpecification?.StreamViewType).toBe('NEW_AND_OLD_IMAGES');
  expect(table?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName)).toEqual(['members']);
  client.destroy();
});
