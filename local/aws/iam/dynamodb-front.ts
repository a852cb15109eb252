import {
  Agent,
  createServer,
  type IncomingMessage,
  request as requestOf,
  type ServerResponse,
} from 'node:http';
import { readBody } from '../../http/body.ts';
import { type Listening, listenOnLoopback } from '../../http/loopback.ts';
import { REGION } from '../cloudformation/template.ts';
import { findSigner } from '../signature.ts';
import { AccessDenied, authorize } from './authorize.ts';
import type { Callers } from './callers.ts';
import { dynamoDbAccesses } from './dynamodb-accesses.ts';

export interface DynamoDbFrontOptions {
  /** The URL of DynamoDB Local, which checks neither signatures nor policies. */
  readonly engineEndpoint: string;
  /** The access key that owns the database. */
  readonly ownerAccessKeyId: string;
  readonly callers: Pick<Callers, 'byAccessKeyId'>;
}

/** The largest request that DynamoDB accepts. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Headers that belong to a connection and not to the response. */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding']);

class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Adds signatures and policies to DynamoDB Local. It finds the caller by the signature, checks the caller's policies, and
 * forwards allowed requests with the owner's access key. Every call of the ledger goes through it: so it buffers only the
 * request's body, which the signature covers.
 */
export async function startDynamoDbFront(options: DynamoDbFrontOptions): Promise<Listening> {
  const engine = new URL(options.engineEndpoint);
  const agent = new Agent({ keepAlive: true });
  const owner =
    `AWS4-HMAC-SHA256 Credential=${options.ownerAccessKeyId}/20260101/${REGION}/dynamodb/aws4_request, ` +
    'SignedHeaders=host, Signature=0';

  const server = createServer(async (request, response) => {
    try {
      const { target, body } = await admitted(request, options.callers);
      forward(target, body, response);
    } catch (error) {
      const code = error instanceof Refusal ? error.code : 'InternalServerError';
      const message = error instanceof Error ? error.message : String(error);
      response
        .writeHead(error instanceof Refusal ? 400 : 500, { 'content-type': 'application/x-amz-json-1.0' })
        .end(JSON.stringify({ __type: `com.amazon.coral.service#${code}`, message }));
    }
  });
  // Longer than any client keeps an idle connection, so that no request arrives while the server closes its socket.
  server.keepAliveTimeout = 600_000;
  const listening = await listenOnLoopback(server);
  return {
    ...listening,
    close() {
      agent.destroy();
      return listening.close();
    },
  };

  function forward(target: string, body: Buffer, response: ServerResponse): void {
    const outgoing = requestOf(
      engine,
      {
        agent,
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'content-length': body.length,
          'x-amz-target': target,
          authorization: owner,
        },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, headersOf(answer));
        answer.pipe(response);
        answer.once('error', () => response.destroy());
      },
    );
    // If the engine does not answer, the caller's connection is closed, as it would be without this front.
    outgoing.once('error', () => response.destroy());
    response.once('close', () => {
      if (!response.writableFinished) outgoing.destroy();
    });
    outgoing.end(body);
  }
}

/** Returns the request if it is signed by a known caller and allowed. Throws a Refusal otherwise. */
async function admitted(
  request: IncomingMessage,
  callers: DynamoDbFrontOptions['callers'],
): Promise<{ target: string; body: Buffer }> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body) throw new Refusal('ValidationException', `a body has at most ${MAX_BODY_BYTES} bytes`);
  if (request.method !== 'POST' || request.url !== '/') {
    throw new Refusal('UnknownOperationException', 'requests are posted to /');
  }
  const signer = await findSigner(request, body, (id) => callers.byAccessKeyId(id), Date.now());
  if (signer.outcome === 'refused') throw new Refusal(signer.code, signer.reason);
  const target = String(request.headers['x-amz-target']);
  const accesses = dynamoDbAccesses(target, jsonOf(body));
  if (!accesses) throw new Refusal('UnknownOperationException', `the local stack does not support ${target}`);
  try {
    for (const { action, resource } of accesses) authorize(signer.credentials.principal, action, resource);
  } catch (error) {
    if (error instanceof AccessDenied) throw new Refusal('AccessDeniedException', error.message);
    throw error;
  }
  return { target, body };
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // Refused below.
  }
  throw new Refusal('SerializationException', 'the body is not a JSON object');
}

function headersOf({ headers }: IncomingMessage): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !OF_CONNECTION.has(name)) kept[name] = value;
  }
  return kept;
}
