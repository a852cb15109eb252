import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { REGION } from '../cloudformation/template.ts';
import { AwsError, arnOf, type Operation, operation } from '../operation.ts';
import type { Queue, Received } from './queue.ts';
import type { Queues } from './queues.ts';

interface OfQueues {
  readonly queues: Queues;
}

/** The largest message that every SQS queue accepts. */
const MAX_MESSAGE_BYTES = 262_144;

const TWELVE_HOURS = 43_200;
const FIFTEEN_MINUTES = 900;

const seconds = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));

const OfQueue = v.object({ QueueUrl: v.string() });

const AttributesRequest = v.object({
  QueueUrl: v.string(),
  AttributeNames: v.tuple([v.literal('QueueArn', 'the local stack supports only the attribute QueueArn')]),
});

const Attributes = v.optional(
  v.record(v.string(), v.object({ DataType: v.literal('String'), StringValue: v.string() })),
  {},
);

const Message = {
  MessageBody: v.string(),
  MessageAttributes: Attributes,
  DelaySeconds: v.optional(seconds(FIFTEEN_MINUTES), 0),
};
const SendMessageRequest = v.object({ QueueUrl: v.string(), ...Message });
const SendMessagesRequest = v.object({
  QueueUrl: v.string(),
  Entries: v.pipe(
    v.array(v.object({ Id: v.string(), ...Message })),
    v.minLength(1),
    v.maxLength(10),
    v.check((entries) => new Set(entries.map(({ Id }) => Id)).size === entries.length, 'an Id is not unique'),
  ),
});

const ReceiveMessageRequest = v.object({
  QueueUrl: v.string(),
  MaxNumberOfMessages: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 1),
  VisibilityTimeout: v.optional(seconds(TWELVE_HOURS)),
  WaitTimeSeconds: v.optional(seconds(20), 0),
});

const Change = { ReceiptHandle: v.string(), VisibilityTimeout: seconds(TWELVE_HOURS) };
const ChangeRequest = v.object({ QueueUrl: v.string(), ...Change });
const ChangesRequest = v.object({
  QueueUrl: v.string(),
  Entries: v.pipe(v.array(v.object({ Id: v.string(), ...Change })), v.minLength(1), v.maxLength(10)),
});
const DeleteRequest = v.object({ QueueUrl: v.string(), ReceiptHandle: v.string() });

const StartMoveRequest = v.object({ SourceArn: v.string(), DestinationArn: v.string() });
const ListMovesRequest = v.object({
  SourceArn: v.string(),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 1),
});

/** The supported operations of SQS, by their target in its JSON protocol. */
export const SQS_OPERATIONS: ReadonlyMap<string, Operation<OfQueues>> = new Map<string, Operation<OfQueues>>([
  [
    'AmazonSQS.GetQueueUrl',
    operation(
      'sqs:GetQueueUrl',
      v.object({ QueueName: v.string() }),
      ({ QueueName }) => [arnOf('sqs', '', QueueName)],
      ({ QueueName }, { queues }) => {
        const queue = queues.find(({ definition }) => definition.name === QueueName);
        if (!queue) throw noQueue(QueueName);
        return { QueueUrl: queue.definition.url };
      },
    ),
  ],
  [
    'AmazonSQS.GetQueueAttributes',
    operation('sqs:GetQueueAttributes', AttributesRequest, theQueue, (request, { queues }) => ({
      Attributes: { QueueArn: queueOf(request, queues).definition.arn },
    })),
  ],
  [
    'AmazonSQS.SendMessage',
    operation('sqs:SendMessage', SendMessageRequest, theQueue, (request, { queues }) => {
      const sent = sentOf(request);
      if (request.MessageBody === '' || sent.bytes > MAX_MESSAGE_BYTES) {
        throw new AwsError(
          'InvalidParameterValue',
          `a message has 1 to ${MAX_MESSAGE_BYTES} bytes, not ${sent.bytes}`,
        );
      }
      return send(queueOf(request, queues), sent);
    }),
  ],
  [
    'AmazonSQS.SendMessageBatch',
    operation('sqs:SendMessage', SendMessagesRequest, theQueue, (request, { queues }) => {
      const queue = queueOf(request, queues);
      const entries = request.Entries.map((entry) => ({ Id: entry.Id, sent: sentOf(entry) }));
      const bytes = entries.reduce((sum, { sent }) => sum + sent.bytes, 0);
      if (bytes > MAX_MESSAGE_BYTES) {
        throw new AwsError(
          'BatchRequestTooLong',
          `a batch has at most ${MAX_MESSAGE_BYTES} bytes, not ${bytes}`,
        );
      }
      const isEmpty = ({ sent }: (typeof entries)[number]) => sent.body === '';
      return {
        Successful: entries
          .filter((entry) => !isEmpty(entry))
          .map(({ Id, sent }) => ({ Id, ...send(queue, sent) })),
        Failed: entries
          .filter(isEmpty)
          .map(({ Id }) => ({ Id, Code: 'InvalidParameterValue', SenderFault: true })),
      };
    }),
  ],
  [
    'AmazonSQS.ReceiveMessage',
    operation('sqs:ReceiveMessage', ReceiveMessageRequest, theQueue, async (request, { queues }) => {
      const queue = queueOf(request, queues);
      const deadlineMs = Date.now() + request.WaitTimeSeconds * 1_000;
      const receive = () =>
        queue.receive({
          most: request.MaxNumberOfMessages,
          visibilityTimeoutSeconds: request.VisibilityTimeout,
        });
      let received = receive();
      while (received.length === 0 && Date.now() < deadlineMs) {
        await queue.wait(deadlineMs, AbortSignal.timeout(Math.max(1, deadlineMs - Date.now())));
        received = receive();
      }
      return { Messages: received.map(messageOf) };
    }),
  ],
  [
    'AmazonSQS.DeleteMessage',
    operation('sqs:DeleteMessage', DeleteRequest, theQueue, (request, { queues }) => {
      queueOf(request, queues).delete(request.ReceiptHandle);
      return {};
    }),
  ],
  [
    'AmazonSQS.ChangeMessageVisibility',
    operation('sqs:ChangeMessageVisibility', ChangeRequest, theQueue, (request, { queues }) => {
      const isChanged = queueOf(request, queues).changeVisibility(
        request.ReceiptHandle,
        request.VisibilityTimeout,
      );
      if (!isChanged) throw new AwsError('MessageNotInflight', 'the message is not in flight');
      return {};
    }),
  ],
  [
    'AmazonSQS.ChangeMessageVisibilityBatch',
    operation('sqs:ChangeMessageVisibility', ChangesRequest, theQueue, (request, { queues }) => {
      const queue = queueOf(request, queues);
      const changed = request.Entries.map((entry) => ({
        Id: entry.Id,
        isChanged: queue.changeVisibility(entry.ReceiptHandle, entry.VisibilityTimeout),
      }));
      return {
        Successful: changed.filter(({ isChanged }) => isChanged).map(({ Id }) => ({ Id })),
        Failed: changed
          .filter(({ isChanged }) => !isChanged)
          .map(({ Id }) => ({ Id, Code: 'MessageNotInflight', SenderFault: true })),
      };
    }),
  ],
  [
    'AmazonSQS.StartMessageMoveTask',
    operation(
      'sqs:StartMessageMoveTask',
      StartMoveRequest,
      ({ SourceArn }) => [SourceArn],
      ({ SourceArn, DestinationArn }, { queues }) => {
        const source = queueOfArn(SourceArn, queues);
        if (queues.sourcesOf(source).length === 0) {
          throw new AwsError(
            'UnsupportedOperation',
            `${SourceArn} is not the dead-letter queue of any queue`,
          );
        }
        return { TaskHandle: queues.move(source, queueOfArn(DestinationArn, queues)).handle };
      },
    ),
  ],
  [
    'AmazonSQS.ListMessageMoveTasks',
    operation(
      'sqs:ListMessageMoveTasks',
      ListMovesRequest,
      ({ SourceArn }) => [SourceArn],
      ({ SourceArn, MaxResults }, { queues }) => {
        const moves = queues.movesOf(queueOfArn(SourceArn, queues)).slice(0, MaxResults);
        return {
          Results: moves.map(({ handle, sourceArn, destinationArn, moved, startedAtMs }) => ({
            TaskHandle: handle,
            // Here a move has finished before the response.
            Status: 'COMPLETED',
            SourceArn: sourceArn,
            DestinationArn: destinationArn,
            ApproximateNumberOfMessagesMoved: moved,
            ApproximateNumberOfMessagesToMove: moved,
            StartedTimestamp: startedAtMs,
          })),
        };
      },
    ),
  ],
]);

/** A message to send, and its bytes: the names and values of attributes count too. */
function sentOf({
  MessageBody: body,
  MessageAttributes,
  DelaySeconds: delaySeconds,
}: v.InferOutput<v.ObjectSchema<typeof Message, undefined>>) {
  const attributes = Object.fromEntries(
    Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue]),
  );
  const bytes = Buffer.byteLength(body + Object.entries(attributes).flat().join(''));
  return { body, attributes, delaySeconds, bytes };
}

function send(queue: Queue, { body, attributes, delaySeconds }: ReturnType<typeof sentOf>) {
  const reason = attributes.ERROR_MESSAGE ?? reasonIn(body);
  const { id } = queue.send({ body, attributes, delaySeconds, reason });
  return { MessageId: id, MD5OfMessageBody: md5(body) };
}

/** The ARN of a request's queue. A queue's URL has its account and its name. */
function theQueue({ QueueUrl }: v.InferOutput<typeof OfQueue>): readonly string[] {
  const [account = '', name = ''] = QueueUrl.split('/').slice(-2);
  return [`arn:aws:sqs:${REGION}:${account}:${name}`];
}

function queueOf({ QueueUrl }: { readonly QueueUrl: string }, queues: Queues): Queue {
  const queue = queues.find(({ definition }) => definition.url === QueueUrl);
  if (!queue) throw noQueue(QueueUrl);
  return queue;
}

function queueOfArn(arn: string, queues: Queues): Queue {
  const queue = queues.find(({ definition }) => definition.arn === arn);
  if (!queue) throw new AwsError('ResourceNotFoundException', `there is no queue ${arn}`);
  return queue;
}

function noQueue(name: string): AwsError {
  return new AwsError('QueueDoesNotExist', `there is no queue ${name}`);
}

function messageOf({ message, receiptHandle }: Received) {
  return {
    MessageId: message.id,
    ReceiptHandle: receiptHandle,
    Body: message.body,
    MD5OfBody: md5(message.body),
  };
}

/** The reason in the body of a record that a function has sent to its dead-letter queue; '' if there is none. */
function reasonIn(body: string): string {
  try {
    const message: unknown = JSON.parse(body);
    return message instanceof Object && 'reason' in message ? String(message.reason) : '';
  } catch {
    return '';
  }
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
