import { createServer, type IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { readBody } from '../http/body.ts';
import { type Listening, listenOnLoopback } from '../http/loopback.ts';
import { REGION } from './cloudformation/template.ts';
import type { EventBus } from './events/event-bus.ts';
import { AccessDenied, authorize } from './iam/authorize.ts';
import type { Callers } from './iam/callers.ts';
import type { Principal } from './iam/principal.ts';
import type { Lambda } from './lambda/lambda.ts';
import { AwsError, arnOf, type Operation, operation } from './operation.ts';
import type { Queues } from './queues/queues.ts';
import { SQS_OPERATIONS } from './queues/sqs-operations.ts';
import type { Secrets } from './secrets.ts';
import { findSigner, type Signed } from './signature.ts';
import { executeArn } from './web-sockets/routes.ts';
import type { WebSocketApi } from './web-sockets/web-socket-api.ts';

export interface AwsServices {
  readonly callers: Pick<Callers, 'byAccessKeyId'>;
  readonly secrets: Pick<Secrets, 'get'>;
  readonly bus: Pick<EventBus, 'put'>;
  readonly queues: Queues;
  readonly lambda: Pick<Lambda, 'has' | 'invoke'>;
  /** Null where the template has no WebSocket API. */
  readonly webSockets: WebSocketApi | null;
}

const SecretRequest = v.object({ SecretId: v.string() });

const ParameterRequest = v.object({ Name: v.string() });

/** The parameter that `cdk bootstrap` creates: this machine is ready for a deployment. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([['/cdk-bootstrap/hnb659fds/version', '21']]);

const PutEventsRequest = v.object({
  Entries: v.pipe(
    v.array(
      v.object({
        EventBusName: v.exactOptional(v.string()),
        Source: v.exactOptional(v.string()),
        DetailType: v.exactOptional(v.string()),
        Detail: v.exactOptional(v.string()),
        // In seconds, as the AWS SDK sends it. A Date holds up to 8.64e15 milliseconds.
        Time: v.exactOptional(v.pipe(v.number(), v.minValue(-8.64e12), v.maxValue(8.64e12))),
      }),
    ),
    v.minLength(1),
    v.maxLength(10),
  ),
});

/** The supported operations, by their target in AWS's JSON protocols. */
const OPERATIONS: ReadonlyMap<string, Operation<AwsServices>> = new Map<string, Operation<AwsServices>>([
  [
    'secretsmanager.GetSecretValue',
    operation('secretsmanager:GetSecretValue', SecretRequest, theSecret, ({ SecretId }, { secrets }) => ({
      ARN: SecretId,
      Name: SecretId.split(':').at(-1),
      SecretString: secretText(SecretId, secrets),
      VersionStages: ['AWSCURRENT'],
    })),
  ],
  [
    'secretsmanager.DescribeSecret',
    operation('secretsmanager:DescribeSecret', SecretRequest, theSecret, ({ SecretId }, { secrets }) => {
      secretText(SecretId, secrets);
      return { ARN: SecretId, Name: SecretId.split(':').at(-1) };
    }),
  ],
  [
    'AmazonSSM.GetParameter',
    operation(
      'ssm:GetParameter',
      ParameterRequest,
      ({ Name }) => [arnOf('ssm', 'parameter/', Name.replace(/^\//, ''))],
      ({ Name }) => {
        const Value = PARAMETERS.get(Name);
        if (Value === undefined) throw new AwsError('ParameterNotFound', `there is no parameter ${Name}`);
        return { Parameter: { Name, Type: 'String', Value, Version: 1 } };
      },
    ),
  ],
  [
    'AWSEvents.PutEvents',
    operation(
      'events:PutEvents',
      PutEventsRequest,
      ({ Entries }) => [
        ...new Set(
          Entries.map(({ EventBusName }) => arnOf('events', 'event-bus/', EventBusName ?? 'default')),
        ),
      ],
      ({ Entries }, { bus }) => {
        const results = bus.put(Entries);
        return {
          FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length,
          Entries: results,
        };
      },
    ),
  ],
  ...SQS_OPERATIONS,
]);

function theSecret({ SecretId }: v.InferOutput<typeof SecretRequest>): readonly string[] {
  return [arnOf('secretsmanager', 'secret:', SecretId)];
}

function secretText(id: string, secrets: AwsServices['secrets']): string {
  const text = secrets.get(id);
  if (text === undefined) throw new AwsError('ResourceNotFoundException', `there is no secret ${id}`);
  return text;
}

/** The path of Lambda's Invoke, which has the function's name. */
const INVOCATION = /^\/2015-03-31\/functions\/([\w-]+)\/invocations$/;

/** The path of API Gateway's management of connections, with its stage and the connection's id. */
const CONNECTION = /^\/([\w-]+)\/(?:@|%40)connections\/([^/]+)$/;

/** Enough for ten entries of PutEvents, escaped in JSON. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

interface Answer {
  /** 200 where it is not given. */
  readonly status?: number;
  /** None where it is undefined. */
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export interface AwsEndpoint extends Listening {
  /** Starts to answer. Before this call, every request gets an error. */
  serve(services: AwsServices): void;
}

/**
 * Starts one endpoint for all AWS services except DynamoDB. It accepts requests that are signed and that the caller's
 * policies allow.
 */
export async function startAwsEndpoint(): Promise<AwsEndpoint> {
  let services: AwsServices | null = null;
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      response
        .writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...headers })
        .end(JSON.stringify(body));
    };
    try {
      const { status = 200, body, headers } = await handle(request, services);
      answer(status, body, headers);
    } catch (error) {
      const { code, status, message } =
        error instanceof AwsError ? error : new AwsError('InternalFailure', String(error), 500);
      answer(status, { __type: code, message }, { 'x-amzn-errortype': code });
    }
  });
  return {
    ...(await listenOnLoopback(server)),
    serve(given) {
      services = given;
    },
  };
}

async function handle(request: IncomingMessage, services: AwsServices | null): Promise<Answer> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body)
    throw new AwsError('RequestEntityTooLargeException', `a body has at most ${MAX_BODY_BYTES} bytes`, 413);
  const { url: path = '' } = request;
  const [, invoked] = INVOCATION.exec(path) ?? [];
  const [, stage, connectionId] = CONNECTION.exec(path) ?? [];
  if (path !== '/' && invoked === undefined && connectionId === undefined)
    throw new AwsError('UnknownOperationException', `the local stack does not know the path ${path}`, 404);
  if (!services) throw new AwsError('ServiceUnavailable', 'the stack is starting', 503);
  const { callers } = services;
  const signer = await findSigner(
    request,
    body,
    (id) => callers.byAccessKeyId(id),
    Date.now(),
    signedOf(path, { isInvocation: invoked !== undefined, isConnection: connectionId !== undefined }),
  );
  if (signer.outcome === 'refused') throw new AwsError(signer.code, signer.reason, 403);
  const { principal } = signer.credentials;
  if (invoked !== undefined) return invoke(principal, invoked, body, services);
  if (stage !== undefined && connectionId !== undefined) {
    const call = { stage, connectionId: decodeURIComponent(connectionId), method: request.method ?? '' };
    return manageConnection(principal, call, body, services);
  }
  const target = String(request.headers['x-amz-target']);
  const known = OPERATIONS.get(target);
  if (!known) throw new AwsError('UnknownOperationException', `the local stack does not support ${target}`);
  const { resources, run } = known.understand(jsonOf(body));
  for (const resource of resources) admit(principal, known.action, resource);
  return { body: await run(services) };
}

/** The parts that a signature must cover. Undefined for an operation of AWS's JSON protocols. */
function signedOf(
  path: string,
  { isInvocation, isConnection }: { readonly isInvocation: boolean; readonly isConnection: boolean },
): Signed | undefined {
  const call = { path, query: {}, headers: ['host', 'x-amz-date'] };
  if (isInvocation) return { ...call, service: 'lambda' };
  return isConnection ? { ...call, service: 'execute-api', region: REGION } : undefined;
}

/** Throws the error of the action's service if the principal does not have the permission. */
function admit(principal: Principal, action: string, resource: string): void {
  try {
    authorize(principal, action, resource);
  } catch (error) {
    if (!(error instanceof AccessDenied)) throw error;
    if (action.startsWith('sqs:')) throw new AwsError('AccessDenied', error.message, 403);
    const status = /^(?:lambda|execute-api):/.test(action) ? 403 : 400;
    throw new AwsError('AccessDeniedException', error.message, status);
  }
}

/** Lambda's Invoke. Unlike the other services, its path has the function's name. */
async function invoke(
  principal: Principal,
  name: string,
  payload: Buffer,
  { lambda }: AwsServices,
): Promise<Answer> {
  admit(principal, 'lambda:InvokeFunction', arnOf('lambda', 'function:', name));
  if (!lambda.has(name)) throw new AwsError('ResourceNotFoundException', `there is no function ${name}`, 404);
  const result = await lambda.invoke(name, JSON.stringify(jsonOf(payload)));
  if (result.ok) return { body: JSON.parse(result.payload) as unknown };
  const { errorType, errorMessage } = result;
  return { body: { errorType, errorMessage }, headers: { 'x-amz-function-error': 'Unhandled' } };
}

interface ConnectionCall {
  readonly stage: string;
  readonly connectionId: string;
  readonly method: string;
}

/**
 * The operations on a connection of a WebSocket API, which its method names
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html).
 */
function manageConnection(
  principal: Principal,
  { stage, connectionId, method }: ConnectionCall,
  body: Buffer,
  { webSockets }: AwsServices,
): Answer {
  if (webSockets?.stage !== stage) throw new AwsError('ForbiddenException', 'Forbidden', 403);
  const resource = executeArn(webSockets.apiId, `${stage}/${method}/@connections/${connectionId}`);
  admit(principal, 'execute-api:ManageConnections', resource);
  switch (method) {
    case 'POST':
      webSockets.post(connectionId, body);
      return { body: undefined };
    case 'GET':
      return { body: webSockets.describe(connectionId) };
    case 'DELETE':
      webSockets.delete(connectionId);
      return { status: 204, body: undefined };
    default:
      throw new AwsError('UnknownOperationException', `there is no ${method} of a connection`, 404);
  }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new AwsError('ValidationException', 'the body is not JSON');
  }
}
