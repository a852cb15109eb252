import { TemplateError } from '../cloudformation/template.ts';

type Test = (value: unknown) => boolean;

/**
 * Compiles an EventBridge pattern of a rule or a stream filter into a test for events. It supports only values and
 * `{ exists: false }`, because nothing deployed uses other operators such as `prefix`.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
 *
 * @throws TemplateError for any other pattern
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
  if (JSON.stringify(matcher) === '{"exists":false}') return (value) => value === undefined;
  throw new TemplateError(`the local stack does not support the event pattern ${JSON.stringify(matcher)}`);
}

/** A list matches if any of its values matches. */
function anyOf(tests: readonly Test[]): Test {
  return (value) => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.some((one) => tests.some((test) => test(one)));
  };
}
