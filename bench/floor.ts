import {
  CreateTableCommand,
  DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { Redis } from '@upstash/redis';
import { takeLuaAsText } from './lua-as-text.ts';
import { runRound } from './measurement.ts';
import type { FloorRequest, FloorSetting, Operation } from './operations.ts';

/*
 * The floor: a bare script that only makes the calls of a mark or a read to the same engines, with the defaults of
 * Upstash's client and the AWS SDK. Its argument has the addresses, and messages on its channel name the operations.
 */
const { upstash, engine, groupId, userIds } = JSON.parse(process.argv[2] ?? '') as FloorSetting;

takeLuaAsText();
const { SCRIPTS } = await import('../shared/cache/scripts.ts');

const IDLE_MS = '604800000';
const CAPACITY = '5000';

const redis = new Redis({
  ...upstash,
  automaticDeserialization: false,
  responseEncoding: false,
  enableAutoPipelining: false,
  enableTelemetry: false,
  retry: false,
});
const readView = redis.createScript<unknown[]>(SCRIPTS.readView);
const mergeGroup = redis.createScript<unknown[]>(SCRIPTS.mergeGroup);
const ledger = new DynamoDBClient({
  region: 'us-east-1',
  ...engine,
});

const key = (name: string) => `tm:{${groupId}}:${name}`;
const viewKeys = ['members', 'messages', 'head'].map(key);
const mergeKeys = ['members', 'messages', 'receipts', 'head', 'joined'].map(key);

/**
 * Its own table on the same engine, with a stream that costs the same to write. With the stack's table, the functions would
 * process every mark of the floor, and their load would be counted as the floor's.
 */
const TABLE = 'bench-floor';
const keyOf = (userId: string) => ({ PK: { S: `USER#${userId}` }, SK: { S: `GROUP#${groupId}` } });

/** The current position of each user. */
const reached = userIds.map(() => 0);

async function read(caller: number, aboutToRead = ''): Promise<string> {
  const scriptArguments = [userIds[caller] ?? '', String(Date.now()), aboutToRead];
  const [membership] = await readView.exec(viewKeys, scriptArguments);
  if (typeof membership !== 'string') throw new Error(`the cache does not have ${userIds[caller]}`);
  return membership;
}

async function markForward(caller: number): Promise<void> {
  const userId = userIds[caller] ?? '';
  const next = (reached[caller] ?? 0) + 1;
  const position = String(next).padStart(20, '0');
  const cached = next.toString(36).padStart(13, '0');
  const { generation, joinedText } = joiningIn(await read(caller, cached));
  const at = Date.now();
  await ledger.send(
    new UpdateItemCommand({
      TableName: TABLE,
      Key: keyOf(userId),
      UpdateExpression:
        'SET #self = :self, #selfAt = :at, #public = :position, #publicAt = :at, #delivered = :position, #deliveredAt = :at',
      ConditionExpression:
        'attribute_exists(#userId) AND #generation = :generation AND #self < :self AND #public < :position AND ' +
        '#delivered < :position AND begins_with(#self, :revision)',
      ExpressionAttributeNames: Object.fromEntries(
        [
          ...['userId', 'generation', 'self', 'selfAt'],
          ...['public', 'publicAt', 'delivered', 'deliveredAt'],
        ].map((name) => [`#${name}`, name]),
      ),
      ExpressionAttributeValues: {
        ':generation': { N: String(Number.parseInt(generation, 36)) },
        ':revision': { S: '0000000000:' },
        ':self': { S: `0000000000:${position}` },
        ':position': { S: position },
        ':at': { N: String(at) },
      },
      ReturnValues: 'ALL_NEW',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }),
  );
  const since = (at - Number.parseInt(generation, 36)).toString(36);
  const membership = `${generation}${joinedText}|${cached}@${since}`;
  await mergeGroup.exec(mergeKeys, [
    ...[String(at), IDLE_MS, CAPACITY, userId, ''],
    ...['member', userId, membership],
  ]);
  reached[caller] = next;
}

/** All members of the group are there from the start. */
const START = '0'.repeat(20);

/** The start of a membership's text, which has a fixed width. */
function joiningIn(text: string) {
  return { generation: text.slice(0, 9), joinedText: text.slice(9, 22) };
}

/** The members in the form of the stack's ledger, so that the floor's writes have the same size. */
async function prepareLedger(): Promise<void> {
  const names = ['PK', 'SK', 'groupId', 'userId'];
  await ledger.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: names.map((name) => ({ AttributeName: name, AttributeType: 'S' })),
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
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  for (const [caller, userId] of userIds.entries()) {
    const { generation } = joiningIn(await read(caller));
    const Item = {
      ...keyOf(userId),
      kind: { S: 'membership' },
      groupId: { S: groupId },
      userId: { S: userId },
      generation: { N: String(Number.parseInt(generation, 36)) },
      joinedAfter: { S: START },
      self: { S: `0000000000:${START}` },
      public: { S: START },
      delivered: { S: START },
    };
    await ledger.send(new PutItemCommand({ TableName: TABLE, Item }));
  }
}

const calls: Record<Operation, (caller: number) => Promise<unknown>> = {
  'read the watermark': (caller) => read(caller),
  'mark, nothing new': (caller) => read(caller),
  'mark, forward': markForward,
};

process.on('message', async ({ operation, callers, bounds }: FloorRequest) => {
  const call = calls[operation];
  process.send?.(
    await runRound(callers, bounds, async (caller) => {
      await call(caller);
    }),
  );
});
process.on('disconnect', () => process.exit());
await prepareLedger();
process.send?.('ready');
