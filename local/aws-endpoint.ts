import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { DeadLetters } from './events/dead-letters.ts';
import type { BusEntry, EventBus } from './events/event-bus.ts';
import type { Secrets } from './secrets.ts';

export interface AwsServices {
  readonly secrets: Secrets;
  readonly bus: EventBus;
  readonly deadLetters: DeadLetters;
}

/** The most bytes that every queue of SQS takes in one message. */
const MAX_MESSAGE_BYTES = 262_144;

type Operation = (input: never, services: AwsServices) => unknown;

/** The operations that the functions call, by the target that AWS's JSON protocols name. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  'secretsmanager.GetSecretValue': ({ SecretId }: { SecretId: string }, { secrets }) => {
    const SecretString = secrets.get(SecretId);
    if (SecretString === undefined)
      throw new AwsError('ResourceNotFoundException', `there is no secret ${SecretId}`);
    return { ARN: SecretId, Name: SecretId.split(':').at(-1), SecretString, VersionStages: ['AWSCURRENT'] };
  },
  'AWSEvents.PutEvents': ({ Entries }: { Entries: BusEntry[] }, { bus }) => {
    if (!Array.isArray(Entries) || Entries.length < 1 || Entries.length > 10) {
      throw new AwsError('ValidationException', 'Entries must have 1 to 10 members');
    }
    const results = bus.put(Entries);
    return { FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length, Entries: results };
  },
  'AmazonSQS.SendMessage': (
    { QueueUrl, MessageBody }: { QueueUrl: string; MessageBody: string },
    { deadLetters },
  ) => {
    const bytes = Buffer.byteLength(MessageBody);
    if (bytes < 1 || bytes > MAX_MESSAGE_BYTES) {
      throw new AwsError(
        'InvalidParameterValue',
        `a message has 1 to ${MAX_MESSAGE_BYTES} bytes, not ${bytes}`,
      );
    }
    if (!deadLetters.receive(QueueUrl, MessageBody)) {
      throw new AwsError('QueueDoesNotExist', `there is no queue ${QueueUrl}`);
    }
    return { MessageId: randomUUID(), MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') };
  },
};

class AwsError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface AwsEndpoint {
  readonly url: string;
  /** From now on it answers; until then it is unavailable. */
  serve(services: AwsServices): void;
  close(): Promise<void>;
}

/** One address for the AWS services that are not engines of their own. */
export async function startAwsEndpoint(): Promise<AwsEndpoint> {
  let services: AwsServices | null = null;
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    };
    try {
      const operation = OPERATIONS[String(request.headers['x-amz-target'])];
      const input = JSON.parse(await text(request)) as never;
      if (!services) return answer(503, { __type: 'ServiceUnavailable' });
      if (!operation) return answer(400, { __type: 'UnknownOperationException' });
      answer(200, operation(input, services));
    } catch (error) {
      if (error instanceof AwsError) answer(400, { __type: error.code, message: error.message });
      else
        answer(500, {
          __type: 'InternalFailure',
          message: error instanceof Error ? error.message : String(error),
        });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve(given) {
      services = given;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
