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
import { ledgerTableOf, resourcesOf, type TypedResource } from './cloudformation/properties.ts';
import type { Template } from './cloudformation/template.ts';

/** Creates the template's tables that do not exist yet or must be fresh. Returns the name of the ledger. */
export async function ensureTables(
  client: DynamoDBClient,
  template: Template,
  fresh: boolean,
): Promise<string> {
  for (const { logicalId, properties } of resourcesOf(template, 'AWS::DynamoDB::Table')) {
    await ensureTable(client, template.identityOf(logicalId).ref, properties, fresh);
  }
  return template.identityOf(ledgerTableOf(template).logicalId).ref;
}

async function ensureTable(
  client: DynamoDBClient,
  TableName: string,
  properties: TypedResource<'AWS::DynamoDB::Table'>['properties'],
  fresh: boolean,
): Promise<void> {
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
    return;
  }
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions,
      KeySchema,
      // DynamoDB refuses an empty list.
      ...(GlobalSecondaryIndexes.length > 0 && { GlobalSecondaryIndexes }),
      ...(StreamSpecification && { StreamSpecification: { StreamEnabled: true, ...StreamSpecification } }),
    }),
  );
  if (TimeToLiveSpecification) {
    await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  }
}

async function describe(client: DynamoDBClient, TableName: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName }))).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
