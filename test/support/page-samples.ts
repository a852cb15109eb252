import type { Json } from './running-stack.ts';

export { type PageSamples, type SampleCall, samplesOf } from '../../document/samples.ts';

/** The names of all fields, however deep. */
export function fieldsIn(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsIn);
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldsIn(inner)]);
}

/** What differs from run to run, whatever field it stands in, and by its field. */
const VARYING: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"/g, '"a time"'],
  [/("(?:id|requestId|cursor)"):"[^"]+"/g, '$1:"a text"'],
  [/("membership"):\d{13}/g, '$1:"a time in ms"'],
];

/** A sample or an answer without what differs from run to run. */
export function comparable(value: Json): Json {
  const text = VARYING.reduce(
    (given, [pattern, instead]) => given.replaceAll(pattern, instead),
    JSON.stringify(value),
  );
  return JSON.parse(text) as Json;
}
