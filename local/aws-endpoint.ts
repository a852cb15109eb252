import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { accessKeyIdIn, findSigner } from './aws-signature.ts';
import type { DeadLetters } from './events/dead-letters.ts';
import type { EventBus } from './events/event-bus.ts';
import { readBody } from './http/body.ts';
import { AccessDenied, authorize } from './iam/authorize.ts';
import { awsAccesses } from './iam/aws-accesses.ts';
import type { Callers } from './iam/callers.ts';
import type { Principal } from './iam/principal.ts';
import type { Secrets } from './secrets.ts';

export interface AwsServices {
  readonly callers: Pick<Callers, 'byAccessKeyId'>;
  readonly secrets: Pick<Secrets, 'get'>;
  readonly bus: Pick<EventBus, 'put'>;
  readonly deadLetters: Pick<DeadLetters, 'receive'>;
}

type Operation = (input: unknown, services: AwsServices) => unknown;

const SecretRequest = v.object({ SecretId: v.string() });

const PutEventsRequest = v.object({
  Entries: v.pipe(
    v.array(
      v.object({
        EventBusName: v.exactOptional(v.string()),
        Source: v.exactOptional(v.string()),
        DetailType: v.exactOptional(v.string()),
        Detail: v.exactOptional(v.string()),
        // Seconds, as the AWS SDK sends them; in milliseconds, a Date holds up to 8.64e15.
        Time: v.exactOptional(v.pipe(v.number(), v.minValue(-8.64e12), v.maxValue(8.64e12))),
      }),
    ),
    v.minLength(1),
    v.maxLength(10),
  ),
});

const SendMessageRequest = v.object({ QueueUrl: v.string(), MessageBody: v.string() });

/** The most bytes that every queue of SQS takes in one message. */
const MAX_MESSAGE_BYTES = 262_144;

/** The operations that the functions call, by the target that AWS's JSON protocols name. */
const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  [
    'secretsmanager.GetSecretValue',
    (input, { secrets }) => {
      const { SecretId } = parse(SecretRequest, input);
      const SecretString = secrets.get(SecretId);
      if (SecretString === undefined)
        throw new AwsError('ResourceNotFoundException', `there is no secret ${SecretId}`);
      return {
        ARN: SecretId,
        Name: SecretId.split(':').at(-1),
        SecretString,
        VersionStages: ['AWSCURRENT'],
      };
    },
  ],
  [
    'AWSEvents.PutEvents',
    (input, { bus }) => {
      const results = bus.put(parse(PutEventsRequest, input).Entries);
      return {
        FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length,
        Entries: results,
      };
    },
  ],
  [
    'AmazonSQS.SendMessage',
    (input, { deadLetters }) => {
      const { QueueUrl, MessageBody } = parse(SendMessageRequest, input);
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
      const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex');
      return { MessageId: randomUUID(), MD5OfMessageBody };
    },
  ],
]);

/** Ten entries of PutEvents, escaped in JSON. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export interface AwsEndpoint {
  readonly url: string;
  /** From now on it answers; until then it is unavailable. */
  serve(services: AwsServices): void;
  close(): Promise<void>;
}

/**
 * One address for the AWS services that are not engines of their own. It answers what is signed and what the caller's
 * policies allow.
 */
export async function startAwsEndpoint(): Promise<AwsEndpoint> {
  let services: AwsServices | null = null;
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    };
    try {
      answer(200, await handle(request, services));
    } catch (error) {
      const { code, status, message } =
        error instanceof AwsError ? error : new AwsError('InternalFailure', String(error), 500);
      answer(status, { __type: code, message });
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

async function handle(request: IncomingMessage, services: AwsServices | null): Promise<unknown> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body)
    throw new AwsError('RequestEntityTooLargeException', `a body has at most ${MAX_BODY_BYTES} bytes`, 413);
  if (request.url !== '/') throw new AwsError('UnknownOperationException', 'the path is /', 404);
  if (!services) throw new AwsError('ServiceUnavailable', 'the stack is starting', 503);
  const caller = services.callers.byAccessKeyId(accessKeyIdIn(request));
  const signer = await findSigner(request, body, caller ? [caller] : [], Date.now());
  if (signer.outcome === 'refused') throw new AwsError(signer.code, signer.reason, 403);
  const target = String(request.headers['x-amz-target']);
  const operation = OPERATIONS.get(target);
  if (!operation) throw new AwsError('UnknownOperationException', `the local stack does not know ${target}`);
  const input = jsonOf(body);
  checkAccess(signer.credentials.principal, target, input);
  return operation(input, services);
}

function checkAccess(principal: Principal, target: string, input: unknown): void {
  const accesses = awsAccesses(target, input);
  if (!accesses) throw new Error(`it is not known what ${target} needs`);
  try {
    for (const { action, resource } of accesses) authorize(principal, action, resource);
  } catch (error) {
    if (!(error instanceof AccessDenied)) throw error;
    throw target.startsWith('AmazonSQS.')
      ? new AwsError('AccessDenied', error.message, 403)
      : new AwsError('AccessDeniedException', error.message);
  }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new AwsError('ValidationException', 'the body is no JSON');
  }
}

/** AWS ignores what it does not know of a request. */
function parse<T extends v.GenericSchema>(schema: T, input: unknown): v.InferOutput<T> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new AwsError('ValidationException', `${v.getDotPath(issue) ?? 'the request'}: ${issue.message}`);
}
