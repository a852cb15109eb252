import * as v from 'valibot';
import { ACCOUNT_ID, REGION } from './cloudformation/template.ts';

/** The error that an AWS operation answers. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** A parsed request. */
export interface Call<Services> {
  /** The ARNs of the resources that it uses: the caller needs the action on each. */
  readonly resources: readonly string[];
  readonly run: (services: Services) => unknown;
}

export interface Operation<Services> {
  /** The action's name in policies. */
  readonly action: string;
  readonly understand: (input: unknown) => Call<Services>;
}

export function operation<T extends v.GenericSchema, Services>(
  action: string,
  schema: T,
  resources: (request: v.InferOutput<T>) => readonly string[],
  run: (request: v.InferOutput<T>, services: Services) => unknown,
): Operation<Services> {
  return {
    action,
    understand(input) {
      const request = parseInput(schema, input);
      return { resources: resources(request), run: (services) => run(request, services) };
    },
  };
}

/** The ARN of a resource that a request names by its name or its ARN. */
export function arnOf(service: string, type: string, nameOrArn: string): string {
  return nameOrArn.startsWith('arn:')
    ? nameOrArn
    : `arn:aws:${service}:${REGION}:${ACCOUNT_ID}:${type}${nameOrArn}`;
}

/** Like AWS, it ignores unknown fields of a request. */
function parseInput<T extends v.GenericSchema>(schema: T, input: unknown): v.InferOutput<T> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new AwsError('ValidationException', `${v.getDotPath(issue) ?? 'the request'}: ${issue.message}`);
}
