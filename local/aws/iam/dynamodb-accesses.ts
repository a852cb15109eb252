import { ACCOUNT_ID, REGION } from '../cloudformation/template.ts';

/** A permission that a call needs. */
export interface Access {
  readonly action: string;
  readonly resource: string;
}

type Body = Readonly<Record<string, unknown>>;

/** Operations on one table, or on one of its indexes. */
const OF_TABLE = new Set([
  'BatchGetItem',
  'DeleteItem',
  'DescribeTable',
  'GetItem',
  'PutItem',
  'Query',
  'Scan',
  'UpdateItem',
]);

/**
 * The permissions that a request to DynamoDB needs. Null for an operation that the local stack does not support: it is
 * refused for every caller.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 */
export function dynamoDbAccesses(target: string, body: Body): readonly Access[] | null {
  const [version, operation = ''] = target.split('.');
  if (version === 'DynamoDBStreams_20120810') return streamAccesses(operation, body);
  if (version !== 'DynamoDB_20120810') return null;
  if (operation === 'ListTables') return [{ action: 'dynamodb:ListTables', resource: '*' }];
  if (!OF_TABLE.has(operation)) return null;
  const action = `dynamodb:${operation}`;
  const tables =
    operation === 'BatchGetItem' ? Object.keys(objectIn(body.RequestItems)) : [String(body.TableName)];
  if (tables.length === 0) return null;
  const index = typeof body.IndexName === 'string' ? `/index/${body.IndexName}` : '';
  return tables.map((name) => ({ action, resource: tableArn(name) + index }));
}

function streamAccesses(operation: string, body: Body): Access[] | null {
  const action = `dynamodb:${operation}`;
  switch (operation) {
    case 'DescribeStream':
    case 'GetShardIterator':
      return [{ action, resource: streamArn(String(body.StreamArn)) }];
    case 'GetRecords':
      // A shard iterator begins with the ARN of its stream, here and on AWS.
      return [{ action, resource: streamArn(String(body.ShardIterator).split('|')[0] ?? '') }];
    default:
      return null;
  }
}

/** The ARN of a table, which a request names by its name or its ARN. */
function tableArn(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:')
    ? nameOrArn
    : `arn:aws:dynamodb:${REGION}:${ACCOUNT_ID}:table/${nameOrArn}`;
}

/** Maps DynamoDB Local's stream ARN, with its own region and a time as the label, to the template's, with the label `local`. */
function streamArn(arn: string): string {
  return arn
    .replace(/^arn:aws:dynamodb:ddblocal:/, `arn:aws:dynamodb:${REGION}:`)
    .replace(/\/stream\/.*$/, '/stream/local');
}

function objectIn(value: unknown): Body {
  return typeof value === 'object' && value !== null ? (value as Body) : {};
}
