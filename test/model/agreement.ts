import type { Json } from '../support/running-stack.ts';
import { type Expected, Moment, SOME_ERRORS, SOME_TEXT } from './model.ts';

/** When an operation was under way, in milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type Times = Readonly<Record<string, string>>;

const A_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

/**
 * Compares what was seen with what is expected. Returns the times of moments, those that this answer tells included;
 * or null where they disagree. What a moment's time is, the first answer tells; it must lie within its operation,
 * and every later answer must tell the same.
 */
export function agree(
  expected: Expected,
  seen: Json | undefined,
  times: Times,
  spanOf: (operation: number) => Span,
): Times | null {
  if (seen === undefined) return null;
  if (expected === SOME_TEXT) return typeof seen === 'string' && seen !== '' ? times : null;
  if (expected === SOME_ERRORS) {
    const areErrors =
      Array.isArray(seen) &&
      seen.length > 0 &&
      seen.every((error) => agree({ path: SOME_TEXT, message: SOME_TEXT }, error, times, spanOf) !== null);
    return areErrors ? times : null;
  }
  if (expected instanceof Moment) {
    if (typeof seen !== 'string' || !A_TIME.test(seen)) return null;
    const key = `${expected.operation} ${expected.what}`;
    const known = times[key];
    if (known !== undefined) return known === seen ? times : null;
    const { from, to } = spanOf(expected.operation);
    const time = Date.parse(seen);
    return time >= from && time <= to ? { ...times, [key]: seen } : null;
  }
  if (expected === null || typeof expected !== 'object') return expected === seen ? times : null;
  if (seen === null || typeof seen !== 'object' || Array.isArray(expected) !== Array.isArray(seen))
    return null;
  const expectedFields = Object.entries(expected);
  const seenFields = new Map(Object.entries(seen));
  if (expectedFields.length !== seenFields.size) return null;
  let told: Times | null = times;
  for (const [name, field] of expectedFields) {
    told = agree(field, seenFields.get(name), told, spanOf);
    if (told === null) return null;
  }
  return told;
}

/** For people to read. */
export function describeExpected(expected: Expected, times: Times): string {
  return JSON.stringify(expected, (_name, value) => {
    if (value === SOME_TEXT) return '<some text>';
    if (value === SOME_ERRORS) return '<some errors>';
    if (!(value instanceof Moment)) return value;
    const known = times[`${value.operation} ${value.what}`];
    return known ?? `<the time of operation ${value.operation}>`;
  });
}
