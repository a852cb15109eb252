import type { Json } from '../support/running-stack.ts';
import {
  ANYTHING,
  type Expected,
  type Learned,
  Moment,
  OneOf,
  Optional,
  Revision,
  SOME_BOOLEAN,
  SOME_ERRORS,
  SOME_TEXT,
} from './expected.ts';

/** When an operation was under way, in milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const ANY_PATH = new OneOf(SOME_TEXT, '');
const A_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

/**
 * Compares an answer with what is expected. Returns what is learned so far, also from this answer; null if they
 * disagree. The first answer determines the time of a moment. It must be within the moment's bounds, and every later
 * answer must have the same time. The same holds for the revision that a membership began with.
 */
export function agree(
  expected: Expected,
  seen: Json | undefined,
  learned: Learned,
  spanOf: (operation: number) => Span,
): Learned | null {
  if (expected instanceof Optional) {
    return seen === undefined ? learned : agree(expected.expected, seen, learned, spanOf);
  }
  if (expected instanceof OneOf) {
    for (const alternative of expected.alternatives) {
      const known = agree(alternative, seen, learned, spanOf);
      if (known !== null) return known;
    }
    return null;
  }
  if (seen === undefined) return null;
  if (expected === ANYTHING) return learned;
  if (expected === SOME_TEXT) return typeof seen === 'string' && seen !== '' ? learned : null;
  if (expected === SOME_BOOLEAN) return typeof seen === 'boolean' ? learned : null;
  if (expected === SOME_ERRORS) {
    const areErrors =
      Array.isArray(seen) &&
      seen.length > 0 &&
      // The path is empty for the body as a whole.
      seen.every((error) => agree({ path: ANY_PATH, message: SOME_TEXT }, error, learned, spanOf) !== null);
    return areErrors ? learned : null;
  }
  if (expected instanceof Moment) return agreeOnMoment(expected, seen, learned, spanOf);
  if (expected instanceof Revision) return agreeOnRevision(expected, seen, learned);
  if (expected === null || typeof expected !== 'object') return expected === seen ? learned : null;
  if (seen === null || typeof seen !== 'object' || Array.isArray(expected) !== Array.isArray(seen))
    return null;
  const expectedFields = Object.entries(expected);
  const seenFields = new Map(Object.entries(seen));
  let known: Learned | null = learned;
  for (const [name, field] of expectedFields) {
    known = agree(field, seenFields.get(name), known, spanOf);
    if (known === null) return null;
    seenFields.delete(name);
  }
  return seenFields.size === 0 ? known : null;
}

function agreeOnMoment(
  { operation, what, bounds }: Moment,
  seen: Json,
  learned: Learned,
  spanOf: (operation: number) => Span,
): Learned | null {
  if (typeof seen !== 'string' || !A_TIME.test(seen)) return null;
  const key = `${operation} ${what}`;
  const known = learned[key];
  if (known !== undefined) return known === seen ? learned : null;
  const { from, to } = spanOf(operation);
  const time = Date.parse(seen);
  const isEarly = bounds !== 'none' && time < from;
  const isLate = (bounds === 'within' && time > to) || (bounds === 'since' && time > Date.now());
  return isEarly || isLate ? null : { ...learned, [key]: seen };
}

function agreeOnRevision(
  { key, above, isNone, raises }: Revision,
  seen: Json,
  learned: Learned,
): Learned | null {
  if (typeof seen !== 'number' || !Number.isSafeInteger(seen)) return null;
  const known = learned[key];
  const first = seen - raises;
  if (known !== undefined) return known === first ? learned : null;
  return first > above && !isNone.includes(first) ? { ...learned, [key]: first } : null;
}

/** The text for people. */
export function describeExpected(expected: Expected, learned: Learned): string {
  return JSON.stringify(expected, (_name, value) => {
    if (value === SOME_TEXT) return '<some text>';
    if (value === SOME_ERRORS) return '<some errors>';
    if (value === SOME_BOOLEAN) return '<true or false>';
    if (value === ANYTHING) return '<anything>';
    if (value instanceof Optional) return value.expected;
    if (value instanceof OneOf) return { 'one of': value.alternatives };
    if (value instanceof Revision) {
      const first = learned[value.key];
      return typeof first === 'number'
        ? first + value.raises
        : `<a revision above ${value.above + value.raises}>`;
    }
    if (!(value instanceof Moment)) return value;
    const known = learned[`${value.operation} ${value.what}`];
    return known ?? `<the time of operation ${value.operation}>`;
  });
}

export const isFields = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
