import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';

/** Where the engines are that the tests of one run share. */
export const engines = {
  dynamodbEndpoint: published('TIDEMARK_TEST_DYNAMODB_ENDPOINT'),
  redisUrl: published('TIDEMARK_TEST_REDIS_URL'),
  redisEngine: published('TIDEMARK_TEST_REDIS_ENGINE'),
  upstashUrl: published('TIDEMARK_TEST_UPSTASH_URL'),
  upstashToken: published('TIDEMARK_TEST_UPSTASH_TOKEN'),
} as const;

function published(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: the global setup of the tests sets it`);
  return value;
}

/** An id that no other test uses, so that tests share the engines without seeing each other. */
export function freshPrefix(kind = 'g'): string {
  return `${kind}-${randomBytes(6).toString('hex')}`;
}

/** Longer than anything takes on a busy machine. Only a fault makes a test wait as long as this. */
const PATIENCE_MS = 60_000;

/** The pauses between attempts. They grow: a long wait must not take the machine's time from what it waits for. */
const PAUSES_MS = [10, 10, 10, 10, 20, 20, 50, 50];
const LONGEST_PAUSE_MS = 100;

/**
 * Calls `attempt` until it neither throws nor rejects, and returns what it returned. After the deadline the last
 * error is thrown.
 */
export async function eventually<T>(attempt: () => T | Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(PAUSES_MS[tries] ?? LONGEST_PAUSE_MS);
    }
  }
}

/**
 * Credentials for DynamoDB Local, other ones in each test file: it has a database for each access key. In a database of a
 * hundred tables with streams, which deleted tables leave behind, a write takes nineteen times as long as in one of its own.
 */
export const ownCredentials = { accessKeyId: randomBytes(8).toString('hex'), secretAccessKey: 'any' };

/** A client of this test file's database in DynamoDB Local. */
export function connectDynamoDb(): DynamoDBClient {
  return new DynamoDBClient({
    endpoint: engines.dynamodbEndpoint,
    region: 'us-east-1',
    credentials: ownCredentials,
  });
}

/** Creates a table as the stack declares the ledger, written out here so that a mistake there does not hide itself. */
export async function createLedgerTable(tableName: string): Promise<void> {
  const client = connectDynamoDb();
  await client.send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'PK', AttributeType: 'S' },
        { AttributeName: 'SK', AttributeType: 'S' },
        { AttributeName: 'groupId', AttributeType: 'S' },
        { AttributeName: 'userId', AttributeType: 'S' },
        { AttributeName: 'dueShard', AttributeType: 'S' },
        { AttributeName: 'due', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'PK', KeyType: 'HASH' },
        { AttributeName: 'SK', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'members',
          KeySchema: [
            { AttributeName: 'groupId', KeyType: 'HASH' },
            { AttributeName: 'userId', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
        {
          IndexName: 'reminders',
          KeySchema: [
            { AttributeName: 'dueShard', KeyType: 'HASH' },
            { AttributeName: 'due', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  client.destroy();
}
