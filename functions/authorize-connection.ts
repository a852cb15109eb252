import type { APIGatewayRequestAuthorizerEvent, Context } from 'aws-lambda';
import { TOKEN_ISSUERS } from '../shared/contract/environment.ts';
import { TidemarkError } from '../shared/domain/errors.ts';
import { loggedError } from '../shared/domain/logged-error.ts';
import { userOf } from './runtime/access.ts';
import { variable } from './runtime/environment.ts';
import { countMetric } from './runtime/metric.ts';
import { prepare } from './runtime/prepare.ts';
import { InvalidToken, TokenVerifier } from './runtime/token-verifier.ts';
import { tokenIn } from './runtime/web-socket-event.ts';
import { endAt, withDeadline } from './runtime/with-deadline.ts';

const verifier = new TokenVerifier(JSON.parse(variable(TOKEN_ISSUERS)));

/** API Gateway answers 401 where an authorizer throws exactly this, and 403 where its policy denies. */
const UNAUTHORIZED = 'Unauthorized';

/** What is left of the function's time for the log and the metric, if the issuer does not answer with its keys. */
const REPORTING_MS = 500;

/**
 * Decides whether a client may connect. The user and the end of the token go on with every frame of the connection.
 */
export async function handler(
  event: Pick<APIGatewayRequestAuthorizerEvent, 'headers' | 'methodArn'>,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
) {
  const token = tokenIn(event.headers ?? {});
  if (token === null) throw new Error(UNAUTHORIZED);
  try {
    const { payload, expiresAtMs } = await withDeadline(
      context.getRemainingTimeInMillis() - REPORTING_MS,
      (deadline) => endAt(deadline, verifier.verify(token)),
    );
    const userId = userOf(payload);
    return policy('Allow', event.methodArn, userId, { userId, tokenExpiresAtMs: expiresAtMs });
  } catch (error) {
    if (error instanceof InvalidToken) throw new Error(UNAUTHORIZED);
    if (error instanceof TidemarkError) return policy('Deny', event.methodArn, 'nobody', {});
    console.error({ message: 'a token could not be verified', error: loggedError(error) });
    countMetric('FailedAuthorizations', 1);
    throw error;
  }
}

function policy(Effect: 'Allow' | 'Deny', Resource: string, principalId: string, context: object) {
  return {
    principalId,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Action: 'execute-api:Invoke', Effect, Resource }],
    },
    context,
  };
}

await prepare({ others: [() => verifier.warm()] });
