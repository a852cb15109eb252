import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type {
  EventBridgeEvent,
  SQSBatchItemFailure,
  SQSBatchResponse,
  SQSEvent,
  SQSRecord,
} from 'aws-lambda';

type TidemarkEvent =
  | EventBridgeEvent<'WatermarkAdvanced', { groupId: string; userId: string; membership: number; to: string }>
  | EventBridgeEvent<'GroupFullyRead', { groupId: string; upTo: string }>;

interface Seen {
  readonly groupId: string;
  readonly userId: string;
  readonly membership: number;
  readonly messageId: string;
}

/** The key of what everyone has read. No user has this id, because ids have no `#`. */
const EVERYONE = '#everyone';

const { TABLE_NAME } = process.env;
const dynamodb = new DynamoDBClient({});

/** Stores a batch of events. A record that fails is reported, and the queue delivers it again; the others leave the queue. */
export async function handler({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const failures = await Promise.all(Records.map(failureOf));
  return { batchItemFailures: failures.flat() };
}

async function failureOf(record: SQSRecord): Promise<SQSBatchItemFailure[]> {
  try {
    await store(seenIn(JSON.parse(record.body) as TidemarkEvent));
    return [];
  } catch (error) {
    console.error({ message: 'an event could not be stored', body: record.body, error });
    return [{ itemIdentifier: record.messageId }];
  }
}

function seenIn(event: TidemarkEvent): Seen {
  const { groupId } = event.detail;
  if (event['detail-type'] === 'GroupFullyRead') {
    return { groupId, userId: EVERYONE, membership: 0, messageId: event.detail.upTo };
  }
  const { userId, membership, to } = event.detail;
  return { groupId, userId, membership, messageId: to };
}

/**
 * Stores how far a member has read, unless a later event was stored before. Events come at least once and in any order:
 * the larger membership counts, then the larger message id. DynamoDB decides this in the write itself. If the function
 * first read the item and then wrote it, an older event could come between the two. Departures and deleted groups do not show
 * here: they begin in your chat, which can delete these items.
 */
async function store({ groupId, userId, membership, messageId }: Seen): Promise<void> {
  const upTo = { S: positionOf(messageId) };
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: TABLE_NAME,
        Item: {
          groupId: { S: groupId },
          userId: { S: userId },
          membership: { N: String(membership) },
          upTo,
        },
        ConditionExpression:
          'attribute_not_exists(groupId) OR membership < :membership OR (membership = :membership AND upTo < :upTo)',
        ExpressionAttributeValues: { ':membership': { N: String(membership) }, ':upTo': upTo },
      }),
    );
  } catch (error) {
    // The table has this event already, or a later one.
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
}

/**
 * A message id as text whose order is that of the numbers. Ids have 64 bits, and a JavaScript number would lose their
 * last digits. Throws on text that is no integer.
 */
function positionOf(messageId: string): string {
  return String(BigInt(messageId)).padStart(20, '0');
}
