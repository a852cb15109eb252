import { type ConversionConfig, toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import * as schemas from '../shared/contract/schemas.ts';
import { ID_PATTERN } from '../shared/domain/ids.ts';
import { MESSAGE_ID_PATTERN } from '../shared/domain/position.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export type JsonObject = Record<string, Json>;

const ID: JsonObject = { type: 'string', minLength: 1, maxLength: 128, pattern: ID_PATTERN.source };

/**
 * The shapes of ids in requests. A message id is described as text alone: many languages would round the integers that a
 * body may hold as well.
 */
export const ID_SHAPES = {
  GroupId: { ...ID, description: 'A group, as the chat names it. It is neither `.` nor `..`.' },
  UserId: { ...ID, description: 'A user, as the chat names it. It is neither `.` nor `..`.' },
  MessageId: {
    type: 'string',
    pattern: MESSAGE_ID_PATTERN.source,
    description:
      'An unsigned 64-bit integer from 1 to 18446744073709551615, in decimal digits without leading zeros. In a body, a JSON integer up to 2^53-1 is taken too.',
  },
} as const satisfies Readonly<Record<string, JsonObject>>;

export function reference(component: string): JsonObject {
  return { $ref: `#/components/schemas/${component}` };
}

const integerFrom = (minimum: number, maximum: number): JsonObject => ({ type: 'integer', minimum, maximum });

/** What the package cannot convert, since a parser of the domain reads it. */
const PARSED: readonly (readonly [v.GenericSchema, JsonObject])[] = [
  [schemas.groupId, reference('GroupId')],
  [schemas.userId, reference('UserId')],
  [schemas.position, reference('MessageId')],
  [
    schemas.time,
    {
      type: 'string',
      format: 'date-time',
      description:
        'RFC 3339, from 1970 on and at most a day ahead. A time in whole seconds counts as the last millisecond of its second.',
    },
  ],
  [
    schemas.revision,
    {
      ...integerFrom(0, Number.MAX_SAFE_INTEGER),
      description:
        'The revision of the own view that the caller knows. Where it is not the current one, the own view stays.',
    },
  ],
  [
    schemas.joinedAfter.wrapped,
    {
      anyOf: [reference('MessageId'), { type: 'null' }],
      description: 'The member starts after this message; null is the beginning. Without it, at the head.',
    },
  ],
  [schemas.flagParameter.wrapped, { type: 'boolean' }],
  [schemas.limitTo200.wrapped, integerFrom(1, 200)],
  [schemas.limitTo500.wrapped, integerFrom(1, 500)],
];

const config = {
  typeMode: 'input',
  target: 'draft-2020-12',
  definitions: Object.fromEntries(PARSED.map(([schema], index) => [String(index), schema])),
  overrideRef: ({ referenceId }) => referenceId,
  overrideSchema: ({ valibotSchema, jsonSchema }) => {
    if (!('entries' in valibotSchema)) return null;
    const entries = Object.entries(valibotSchema.entries as v.ObjectEntries);
    const lists = entries.flatMap(([name, schema]) => {
      const items = entryOf(schema);
      return items
        ? [[name, { ...(jsonSchema.properties?.[name] as JsonObject), items: converted(items) }]]
        : [];
    });
    const properties = { ...jsonSchema.properties, ...Object.fromEntries(lists) };
    return { ...jsonSchema, properties };
  },
  // It compares fields, for which JSON Schema has no words.
  ignoreActions: ['check'],
} satisfies ConversionConfig as ConversionConfig;

/** The entries of a list whose length is checked before them: they are the last thing in its pipe. */
function entryOf(schema: v.GenericSchema): v.GenericSchema | null {
  if ('wrapped' in schema) return entryOf(schema.wrapped as v.GenericSchema);
  const last = 'pipe' in schema ? (schema.pipe as readonly v.GenericSchema[]).at(-1) : null;
  return last?.type === 'array' ? (last as v.ArraySchema<v.GenericSchema, undefined>).item : null;
}

/** A schema of the contract as JSON Schema (2020-12), as a caller sends it or gets it. */
export function jsonSchemaOf(schema: v.GenericSchema): JsonObject {
  return withShapes(converted(schema)) as JsonObject;
}

function converted(schema: v.GenericSchema): JsonObject {
  const { $schema: _schema, $defs: _definitions, ...converted } = toJsonSchema(schema, config);
  return converted as JsonObject;
}

/** Puts the shapes in the places of their numbers, and writes what may be null in the short way. */
function withShapes(json: Json): Json {
  if (Array.isArray(json)) return json.map(withShapes);
  if (typeof json !== 'object' || json === null) return json;
  const others = Object.entries(json).map(([name, value]) => [name, withShapes(value)] as const);
  const { $ref: number, ...rest }: JsonObject = Object.fromEntries(others);
  const [, shape] = number === undefined ? [] : (PARSED[Number(number)] ?? []);
  return withTypedDefault(nullable({ ...shape, ...rest }));
}

/** Generators of clients know a list of types better than an alternative that is null. */
function nullable(whole: JsonObject): JsonObject {
  const { anyOf, ...rest } = whole;
  const [first, second] = Array.isArray(anyOf) ? (anyOf as JsonObject[]) : [];
  const isNullable = second?.type === 'null' && typeof first?.type === 'string';
  return isNullable ? { ...first, ...rest, type: [first.type as string, 'null'] } : whole;
}

/** A default is text where the parameter is. */
function withTypedDefault(whole: JsonObject): JsonObject {
  const { type, default: given } = whole;
  const isText = typeof given === 'string' && type !== 'string';
  return isText ? { ...whole, default: JSON.parse(given) as Json } : whole;
}
