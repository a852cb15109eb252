import * as v from 'valibot';

/** What an operation of AWS answers where it fails. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The input of an operation. AWS ignores what it does not know of a request. */
export function parseInput<T extends v.GenericSchema>(schema: T, input: unknown): v.InferOutput<T> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new AwsError('ValidationException', `${v.getDotPath(issue) ?? 'the request'}: ${issue.message}`);
}
