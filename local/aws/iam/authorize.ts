import type { Principal } from './principal.ts';

/** A principal lacks a permission. The message is AWS's text. */
export class AccessDenied extends Error {
  override readonly name = 'AccessDenied';
}

/**
 * Checks that the principal may do the action on the resource.
 *
 * @param resource an ARN, or `*` for an action without a resource
 * @throws AccessDenied if it may not
 */
export function authorize(principal: Principal, action: string, resource: string): void {
  if (principal.allows(action, resource)) return;
  // SQS writes the action in lower case: https://github.com/aws/serverless-application-model/issues/3633
  const named = action.startsWith('sqs:') ? action.toLowerCase() : action;
  throw new AccessDenied(
    `User: ${principal.arn} is not authorized to perform: ${named} on resource: ${resource} ` +
      `because no identity-based policy allows the ${named} action`,
  );
}
