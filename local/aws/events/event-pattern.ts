import { TemplateError } from '../cloudformation/template.ts';

type Test = (value: unknown) => boolean;

/**
 * Makes a test for events of an EventBridge pattern, as rules and stream filters have them: of values alone, since
 * nothing deployed uses operators such as `prefix`.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
 *
 * @throws TemplateError on anything else
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
    const fields = (typeof event === 'object' && event !== null ? event : {}) as Record<string, unknown>;
    return tests.every(([name, test]) => test(fields[name]));
  };
}

function compileMatcher(matcher: unknown): Test {
  if (typeof matcher !== 'object' || matcher === null) return (value) => value === matcher;
  throw new TemplateError(`the local stack does not know the event pattern ${JSON.stringify(matcher)}`);
}

/** A field that is a list matches where any of its values does. */
function anyOf(tests: readonly Test[]): Test {
  return (value) => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.some((one) => tests.some((test) => test(one)));
  };
}
