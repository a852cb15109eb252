import { expect, test } from '@jest/globals';
import { dynamoDbAccesses } from '../../../../local/aws/iam/dynamodb-accesses.ts';

const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table';
/** As DynamoDB Local writes it. */
const STREAM = 'arn:aws:dynamodb:ddblocal:000000000000:table/ledger/stream/2026-11-25T18:16:38.550';

test.each([
  ['GetItem', { TableName: 'ledger' }, [`dynamodb:GetItem ${TABLE}/ledger`]],
  ['UpdateItem', { TableName: `${TABLE}/ledger` }, [`dynamodb:UpdateItem ${TABLE}/ledger`]],
  ['DeleteItem', { TableName: 'ledger' }, [`dynamodb:DeleteItem ${TABLE}/ledger`]],
  ['Query', { TableName: 'ledger' }, [`dynamodb:Query ${TABLE}/ledger`]],
  ['Query', { TableName: 'ledger', IndexName: 'members' }, [`dynamodb:Query ${TABLE}/ledger/index/members`]],
  ['Scan', { TableName: 'ledger', IndexName: 'members' }, [`dynamodb:Scan ${TABLE}/ledger/index/members`]],
  [
    'BatchGetItem',
    { RequestItems: { ledger: {}, other: {} }, TableName: 'decoy' },
    [`dynamodb:BatchGetItem ${TABLE}/ledger`, `dynamodb:BatchGetItem ${TABLE}/other`],
  ],
  ['ListTables', {}, ['dynamodb:ListTables *']],
])('%s of %j needs %j', (operation, body, expected) => {
  expect(needed(`DynamoDB_20120810.${operation}`, body)).toEqual(expected);
});

test.each([
  ['DescribeStream', { StreamArn: STREAM }],
  ['GetShardIterator', { StreamArn: STREAM }],
  ['GetRecords', { ShardIterator: `${STREAM}|001|c2hhcmQ` }],
])('%s needs its action on the stream of the template', (operation, body) => {
  expect(needed(`DynamoDBStreams_20120810.${operation}`, body)).toEqual([
    `dynamodb:${operation} ${TABLE}/ledger/stream/local`,
  ]);
});

test.each([
  ['an operation that is not known', 'DynamoDB_20120810.ExecuteStatement', { Statement: 'SELECT 1' }],
  ['one that manages tables', 'DynamoDB_20120810.DeleteTable', { TableName: 'ledger' }],
  ['another version', 'DynamoDB_20111205.GetItem', { TableName: 'ledger' }],
  ['a batch of no table', 'DynamoDB_20120810.BatchGetItem', { TableName: 'ledger' }],
  ['an empty transaction', 'DynamoDB_20120810.TransactWriteItems', { TransactItems: [] }],
  [
    'a transaction that writes',
    'DynamoDB_20120810.TransactWriteItems',
    { TransactItems: [{ Put: { TableName: 'ledger' } }] },
  ],
  [
    'a transaction that reads',
    'DynamoDB_20120810.TransactGetItems',
    { TransactItems: [{ Get: { TableName: 'ledger' } }] },
  ],
  ['a batch of writes', 'DynamoDB_20120810.BatchWriteItem', { RequestItems: { ledger: [] } }],
  ['a list of streams', 'DynamoDBStreams_20120810.ListStreams', {}],
  ['no target', 'undefined', {}],
])('%s is nothing that anybody may do', (_what, target, body) => {
  expect(dynamoDbAccesses(target, body)).toBeNull();
});

function needed(target: string, body: Record<string, unknown>) {
  return dynamoDbAccesses(target, body)?.map(({ action, resource }) => `${action} ${resource}`);
}
