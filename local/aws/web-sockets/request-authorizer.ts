import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { listOf, pattern } from '../iam/policy-document.ts';
import { Principal } from '../iam/principal.ts';
import type { InvocationResult } from '../lambda/instance.ts';
import { type AuthorizerContext, authorizerEvent, type Client } from './events.ts';

export type Authorization =
  | { readonly outcome: 'allowed'; readonly context: AuthorizerContext }
  | {
      readonly outcome: 'refused';
      readonly status: number;
      readonly message: string;
      readonly reason?: string;
    };

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html */
const MAX_RESULT_BYTES = 8 * 1024;

/** The error by which the function of an authorizer refuses a token. */
const UNAUTHORIZED = 'Unauthorized';

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html */
const Answer = v.object({
  principalId: v.string(),
  policyDocument: v.object({
    Version: v.optional(v.string()),
    Statement: listOf(
      v.object({
        Effect: v.picklist(['Allow', 'Deny']),
        Action: listOf(pattern),
        Resource: listOf(pattern),
      }),
    ),
  }),
  context: v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])), {}),
});

export interface AuthorizerOptions {
  /** The header without which no function is asked. */
  readonly header: string;
  /** The ARN that a policy must allow. */
  readonly methodArn: string;
  readonly invoke: (payload: string) => Promise<InvocationResult>;
}

/**
 * A Lambda authorizer of a WebSocket API
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html).
 */
export class RequestAuthorizer {
  readonly #options: AuthorizerOptions;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  async authorize(client: Client, request: IncomingMessage, requestId: string): Promise<Authorization> {
    const { header, methodArn, invoke } = this.#options;
    if (!request.headers[header.toLowerCase()]) return refused(401, 'Unauthorized');
    const begun = performance.now();
    const result = await invoke(JSON.stringify(authorizerEvent(client, request, requestId, methodArn)));
    const integrationLatency = Math.round(performance.now() - begun);
    if (!result.ok) {
      return result.errorMessage === UNAUTHORIZED
        ? refused(401, 'Unauthorized')
        : { ...FAILED, reason: result.errorMessage };
    }
    const answer = v.safeParse(Answer, JSON.parse(result.payload));
    if (!answer.success) return { ...FAILED, reason: 'the authorizer returned no valid answer' };
    if (Buffer.byteLength(result.payload) > MAX_RESULT_BYTES)
      return { ...FAILED, reason: `the authorizer returned more than ${MAX_RESULT_BYTES} bytes` };
    const { principalId, policyDocument, context } = answer.output;
    const allows = (effect: 'Allow' | 'Deny') => {
      const Statement = policyDocument.Statement.filter(({ Effect }) => Effect === effect).map(
        ({ Action, Resource }) => ({ Effect: 'Allow' as const, Action, Resource }),
      );
      return new Principal(principalId, [{ Version: '2012-10-17', Statement }]).allows(
        'execute-api:Invoke',
        methodArn,
      );
    };
    if (allows('Deny'))
      return refused(403, 'User is not authorized to access this resource with an explicit deny');
    if (!allows('Allow')) return refused(403, 'User is not authorized to access this resource');
    const texts = Object.entries(context).map(([name, value]) => [name, String(value)]);
    return {
      outcome: 'allowed',
      context: { ...Object.fromEntries(texts), principalId, integrationLatency },
    };
  }
}

const FAILED = { outcome: 'refused', status: 500, message: 'Internal server error' } as const;

function refused(status: number, message: string): Authorization {
  return { outcome: 'refused', status, message };
}
