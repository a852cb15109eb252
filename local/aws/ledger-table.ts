import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { UsageError } from '../command/usage-error.ts';
import { onlyResource } from './cloudformation/properties.ts';
import type { Template } from './cloudformation/template.ts';

/** Creates the template's table if there is none yet or if it must be fresh. Returns the table's name. */
export async function ensureTable(
  client: DynamoDBClient,
  template: Template,
  fresh: boolean,
): Promise<string> {
  const { logicalId, properties } = onlyResource(template, 'AWS::DynamoDB::Table');
  const TableName = template.identityOf(logicalId).ref;
  const {
    AttributeDefinitions,
    KeySchema,
    GlobalSecondaryIndexes,
    StreamSpecification,
    TimeToLiveSpecification,
  } = properties;
  let existing = await describe(client, TableName);
  if (existing && fresh) {
    await client.send(new DeleteTableCommand({ TableName }));
    existing = undefined;
  }
  if (existing) {
    const declared = GlobalSecondaryIndexes.map(({ IndexName }) => IndexName).toSorted();
    const present = (existing.GlobalSecondaryIndexes ?? []).map(({ IndexName }) => IndexName).toSorted();
    if (JSON.stringify(declared) !== JSON.stringify(present)) {
      throw new UsageError('The data is from another version of the table; start once with --fresh.');
    }
    return TableName;
  }
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions,
      KeySchema,
      GlobalSecondaryIndexes,
      StreamSpecification: { StreamEnabled: true, ...StreamSpecification },
    }),
  );
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  return TableName;
}

async function describe(client: DynamoDBClient, TableName: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName }))).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
