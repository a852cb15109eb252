/** A variable of the function's environment. Its absence is a mistake of the deployment, found at the first start. */
export function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is missing`);
  return value;
}
