import type { Principal } from './principal.ts';

/** A principal may not do what it asked for. The message is worded as AWS words it. */
export class AccessDenied extends Error {
  override readonly name = 'AccessDenied';
}

/**
 * Returns where the principal may do the action on the resource, which is given by its ARN; `*` stands for an action
 * without a resource.
 *
 * @throws AccessDenied where it may not.
 */
export function authorize(principal: Principal, action: string, resource: string): void {
  if (principal.allows(action, resource)) return;
  // SQS writes the action in small letters: https://github.com/aws/serverless-application-model/issues/3633
  const named = action.startsWith('sqs:') ? action.toLowerCase() : action;
  throw new AccessDenied(
    `User: ${principal.arn} is not authorized to perform: ${named} on resource: ${resource} ` +
      `because no identity-based policy allows the ${named} action`,
  );
}
