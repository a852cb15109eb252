import * as v from 'valibot';
import { type InvalidField, invalidFields } from '../../shared/domain/errors.ts';

/**
 * Returns the output of the schema for a value. Throws `invalid_request` with every fault. `part` is what the caller
 * calls the members of the value.
 */
export function validate<T>(
  schema: v.GenericSchema<unknown, T>,
  value: unknown,
  part: 'field' | 'parameter' = 'field',
): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw invalidFields(result.issues.map((issue) => faultOf(issue, part)));
}

function faultOf(issue: v.BaseIssue<unknown>, part: string): InvalidField {
  const path = v.getDotPath(issue) ?? '';
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return { path, message: `is not a known ${part}` };
  if (issue.type === 'strict_object' && issue.received === 'undefined')
    return { path, message: 'is required' };
  if (issue.type === 'strict_object') return { path, message: 'must be a JSON object' };
  return { path, message: issue.message };
}
