import { TemplateError } from '../cloudformation/template.ts';

type Test = (value: unknown) => boolean;

/**
 * A test for events out of an EventBridge pattern, as rules and stream filters have them
 * (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html). Throws on what it does not know.
 */
export function compilePattern(pattern: unknown): Test {
  if (typeof pattern !== 'object' || pattern === null || Array.isArray(pattern)) {
    throw new TemplateError(`not an event pattern: ${JSON.stringify(pattern)}`);
  }
  const tests = Object.entries(pattern).map(([name, part]): [string, Test] => [
    name,
    Array.isArray(part) ? anyOf(part.map(compileMatcher)) : compilePattern(part),
  ]);
  return (event) => {
    if (tests.length === 0) return true;
    const fields = (typeof event === 'object' && event !== null ? event : {}) as Record<string, unknown>;
    return tests.every(([name, test]) => test(fields[name]));
  };
}

function compileMatcher(matcher: unknown): Test {
  if (typeof matcher !== 'object' || matcher === null) return (value) => value === matcher;
  const [[operator, operand] = ['', undefined], ...others] = Object.entries(matcher);
  if (others.length === 0) {
    if (operator === 'exists') return (value) => (value !== undefined) === operand;
    if (operator === 'prefix' && typeof operand === 'string') {
      return (value) => typeof value === 'string' && value.startsWith(operand);
    }
    if (operator === 'suffix' && typeof operand === 'string') {
      return (value) => typeof value === 'string' && value.endsWith(operand);
    }
    if (operator === 'anything-but' && !isOperator(operand)) {
      const excluded: unknown[] = Array.isArray(operand) ? operand : [operand];
      return (value) => value !== undefined && !excluded.includes(value);
    }
  }
  throw new TemplateError(`the local stack does not know the event pattern ${JSON.stringify(matcher)}`);
}

/** A field that is a list matches where any of its values does. */
function anyOf(tests: readonly Test[]): Test {
  return (value) => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.some((one) => tests.some((test) => test(one)));
  };
}

function isOperator(operand: unknown): boolean {
  return typeof operand === 'object' && operand !== null && !Array.isArray(operand);
}
