import type * as environment from '../../shared/contract/environment.ts';

/** The variables that infra sets, and the function's name, which Lambda itself sets. */
export type Variable = (typeof environment)[keyof typeof environment] | 'AWS_LAMBDA_FUNCTION_NAME';

/** A variable of the function's environment. Its absence is a mistake of the deployment, found at the first start. */
export function variable(name: Variable): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is missing`);
  return value;
}
