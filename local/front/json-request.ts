import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { readBody } from '../http/body.ts';

/* The bodies of the routes that only the local stack has: how they are read, and what most of their fields are. */

const MAX_BODY_BYTES = 1024 * 1024;

/** A request that is refused with this status. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Returns the body, unchanged. Its type must be JSON: without a preflight, a browser sends only text or forms for a page of
 * another site.
 */
export async function readJsonText(request: IncomingMessage): Promise<string> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json') {
    throw new Refusal(415, 'The body must be application/json.');
  }
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body) throw new Refusal(413, `The body has more than ${MAX_BODY_BYTES} bytes.`);
  return body.toString();
}

/** Returns the text as a value of the schema. Throws a Refusal that names the first fault. */
export function parse<T extends v.GenericSchema>(schema: T, text: string): v.InferOutput<T> {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'The body is not JSON.');
  }
  const parsed = v.safeParse(schema, given);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new Refusal(400, `${v.getDotPath(issue) ?? 'The body'}: ${ruleOf(issue)}`);
}

function ruleOf({ type, expected, received, message }: v.BaseIssue<unknown>): string {
  if (type !== 'strict_object') return message;
  if (expected === 'never') return 'is not a known field';
  return received === 'undefined' ? 'is required' : 'must be a JSON object';
}

export function matching(pattern: RegExp, rule: string) {
  return v.pipe(v.string(rule), v.regex(pattern, rule));
}

/** A text of one character or more, without the spaces around it. */
export function textOf(most: number) {
  const rule = `must have 1 to ${most} characters`;
  return v.pipe(v.string(rule), v.trim(), v.nonEmpty(rule), v.maxLength(most, rule));
}

export function integerFrom(least: number, most: number) {
  const rule = `must be an integer from ${least} to ${most}`;
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(least, rule), v.maxValue(most, rule));
}
