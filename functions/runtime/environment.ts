import type * as environment from '../../shared/contract/environment.ts';

/** The variables that infra sets, and the function's name, which Lambda itself sets. */
export type Variable = (typeof environment)[keyof typeof environment] | 'AWS_LAMBDA_FUNCTION_NAME';

/**
 * Returns a variable of the function's environment. Throws if it is missing: the deployment is wrong, and the first
 * start shows it.
 */
export function variable(name: Variable): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is missing`);
  return value;
}
