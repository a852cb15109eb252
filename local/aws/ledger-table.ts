import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { UsageError } from '../command/usage-error.ts';
import { ledgerTableOf, resourcesOf, type TypedResource } from './cloudformation/properties.ts';
import type { Template } from './cloudformation/template.ts';

/** The pause between two looks at an index that is being built. */
const POLL_MS = 50;

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
    await addMissingIndexes(client, existing, properties);
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

/**
 * Adds the declared indexes that a table of an earlier version lacks, one after the other, as an update of a deployed stack
 * does. Throws a UsageError if the table differs in another way.
 */
async function addMissingIndexes(
  client: DynamoDBClient,
  existing: TableDescription,
  { AttributeDefinitions, GlobalSecondaryIndexes }: TypedResource<'AWS::DynamoDB::Table'>['properties'],
): Promise<void> {
  const present = new Map(
    existing.GlobalSecondaryIndexes?.map((index) => [index.IndexName, index.KeySchema]),
  );
  const isOfEarlierVersion = [...present].every(([name, keys]) =>
    GlobalSecondaryIndexes.some(
      ({ IndexName, KeySchema }) => IndexName === name && isDeepStrictEqual(KeySchema, keys),
    ),
  );
  if (!isOfEarlierVersion)
    throw new UsageError('The data is from another version of the table; start once with --fresh.');
  for (const index of GlobalSecondaryIndexes.filter(({ IndexName }) => !present.has(IndexName))) {
    const { TableName } = existing;
    const update = { AttributeDefinitions, GlobalSecondaryIndexUpdates: [{ Create: index }] };
    await client.send(new UpdateTableCommand({ TableName, ...update }));
    await whenActive(client, TableName);
  }
}

/** Until then the table takes no other update, and the index has no items. */
async function whenActive(client: DynamoDBClient, TableName: string | undefined): Promise<void> {
  for (;;) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const indexes = Table?.GlobalSecondaryIndexes ?? [];
    if (indexes.every(({ IndexStatus }) => IndexStatus === 'ACTIVE')) return;
    await delay(POLL_MS);
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
