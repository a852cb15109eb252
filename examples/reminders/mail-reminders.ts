import { DynamoDBClient, PutItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb';
import type { EventBridgeEvent, SQSBatchResponse, SQSEvent } from 'aws-lambda';

type Reminder = EventBridgeEvent<
  'MessageStillUnread',
  { groupId: string; messageId: string; userIds: readonly string[] }
>;

interface Message {
  readonly groupId: string;
  readonly messageId: string;
}

/** An unread message of a user, and the record of the queue that it came in. */
interface Unread extends Message {
  readonly userId: string;
  readonly recordId: string;
}

/** How long a repeated event is recognised. */
const KEPT_SECONDS = 86_400;

const { TABLE_NAME, MAIL_URL = '' } = process.env;
const dynamodb = new DynamoDBClient({});

/**
 * Sends each user of a batch one mail about all messages that the batch has for this user. If a mail fails, all records with
 * that user are reported, and the queue delivers them again: the other users of these records get no second mail.
 */
export async function handler({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const unread = Records.flatMap(({ messageId: recordId, body }): Unread[] => {
    const { groupId, messageId, userIds } = (JSON.parse(body) as Reminder).detail;
    return userIds.map((userId) => ({ userId, groupId, messageId, recordId }));
  });
  const failed = new Set<string>();
  for (const [userId, ofUser] of Map.groupBy(unread, (one) => one.userId)) {
    try {
      await remind(userId, ofUser);
    } catch (error) {
      console.error({ message: 'a mail could not be sent', userId, error });
      for (const { recordId } of ofUser) failed.add(recordId);
    }
  }
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
}

async function remind(userId: string, unread: readonly Message[]): Promise<void> {
  const mailed = await mailedTo(userId);
  // The same message may be in the batch twice: the last one of each key stays.
  const messages = new Map(
    unread.map(({ groupId, messageId }) => [`${groupId}#${messageId}`, { groupId, messageId }]),
  );
  for (const key of mailed) messages.delete(key);
  if (messages.size === 0) return;
  await sendMail(userId, [...messages.values()]);
  // After the mail: if this fails, the user gets the mail twice. The other way round, the user might get none.
  for (const message of messages.keys()) await remember(userId, message);
}

/** Put your mail service here. It must know the user's address. The texts of the messages are in your chat. */
async function sendMail(userId: string, messages: readonly Message[]): Promise<void> {
  const response = await fetch(MAIL_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId, messages }),
    signal: AbortSignal.timeout(10_000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the mail service answered ${response.status}`);
}

/** The messages, as `<groupId>#<messageId>`, that the user has had a mail about. Ids have no `#`. */
async function mailedTo(userId: string): Promise<Set<string>> {
  const pages = paginateQuery(
    { client: dynamodb },
    {
      TableName: TABLE_NAME,
      KeyConditionExpression: 'userId = :user',
      ExpressionAttributeValues: { ':user': { S: userId } },
      ConsistentRead: true,
    },
  );
  const mailed = new Set<string>();
  for await (const { Items = [] } of pages) {
    for (const { message } of Items) mailed.add(message?.S ?? '');
  }
  return mailed;
}

async function remember(userId: string, message: string): Promise<void> {
  await dynamodb.send(
    new PutItemCommand({
      TableName: TABLE_NAME,
      Item: {
        userId: { S: userId },
        message: { S: message },
        expiresAt: { N: String(Math.floor(Date.now() / 1000) + KEPT_SECONDS) },
      },
    }),
  );
}
