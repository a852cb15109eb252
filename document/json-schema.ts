import { type ConversionConfig, toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import * as schemas from '../shared/contract/schemas.ts';
import { ID_PATTERN } from '../shared/domain/ids.ts';
import { MESSAGE_ID_PATTERN } from '../shared/domain/position.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export type JsonObject = Record<string, Json>;

const ID: JsonObject = { type: 'string', minLength: 1, maxLength: 128, pattern: ID_PATTERN.source };

/**
 * The schemas of ids in requests. A message id is described only as text, although a body may also have an integer: many
 * languages would round it.
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

/** Schemas, each with the JSON Schema that replaces it in the document. */
type Shapes = readonly (readonly [v.GenericSchema, JsonObject])[];

/** Schemas that are components of the document. */
export type Components = readonly (readonly [v.GenericSchema, name: string])[];

/** Schemas that the package cannot convert, because a parser of the domain reads the value. */
const PARSED: Shapes = [
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
    schemas.timeAhead,
    { type: 'string', format: 'date-time', description: 'RFC 3339, from the year 1970 to the year 9999.' },
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
  [
    schemas.mentions.wrapped,
    {
      anyOf: [
        { type: 'array', items: reference('UserId'), minItems: 1, maxItems: 100 },
        { type: 'string', const: 'all' },
      ],
      description: 'Whom the message mentions: these users, or everybody in the group',
    },
  ],
  [
    schemas.remindAfterSeconds.wrapped,
    {
      ...integerFrom(60, 604_800),
      description:
        'So long after the message was sent, MessageStillUnread names the members who have not read it. Without it, never.',
    },
  ],
  [schemas.cursor.wrapped, { type: 'string' }],
  [schemas.flagParameter.wrapped, { type: 'boolean' }],
  [schemas.limitTo200.wrapped, integerFrom(1, 200)],
  [schemas.limitTo500.wrapped, integerFrom(1, 500)],
];

const configOf = (shapes: Shapes) =>
  ({
    typeMode: 'input',
    target: 'draft-2020-12',
    definitions: Object.fromEntries(shapes.map(([schema], index) => [String(index), schema])),
    overrideRef: ({ referenceId }) => referenceId,
    overrideSchema: ({ valibotSchema, jsonSchema }) => {
      if (valibotSchema.type === 'variant') {
        const { key } = valibotSchema as unknown as { readonly key: string };
        return mergedChoice(key, jsonSchema.oneOf as unknown as Choice[]);
      }
      if (!('entries' in valibotSchema)) return null;
      const entries = Object.entries(valibotSchema.entries as v.ObjectEntries);
      const lists = entries.flatMap(([name, schema]) => {
        const items = entryOf(schema);
        return items
          ? [[name, { ...(jsonSchema.properties?.[name] as JsonObject), items: converted(items, shapes) }]]
          : [];
      });
      const properties = { ...jsonSchema.properties, ...Object.fromEntries(lists) };
      return { ...jsonSchema, properties };
    },
    // `check` compares fields, which JSON Schema cannot describe.
    ignoreActions: ['check'],
  }) satisfies ConversionConfig as ConversionConfig;

/** One of several objects, of which a field decides. */
interface Choice {
  readonly properties: Readonly<Record<string, JsonObject>>;
  readonly required: readonly string[];
}

/**
 * One object with the fields of all choices. Fields that every choice requires are required. The other fields of a
 * choice must occur together. Client generators support this better than a list of choices: from a list, some generate
 * clients that refuse fields of later versions.
 */
function mergedChoice(key: string, choices: readonly Choice[]): JsonObject {
  const values = choices.flatMap(({ properties }) => {
    const { enum: several, const: one } = properties[key] ?? {};
    return (several as Json[] | undefined) ?? [one as Json];
  });
  const [words] = choices.flatMap((choice) => choice.properties[key]?.description ?? []);
  const isSwitch = values.every((value) => typeof value === 'boolean');
  const properties = Object.assign({}, ...choices.map((choice) => choice.properties)) as JsonObject;
  /** The fields that all of these choices require. */
  const inAll = (those: readonly Choice[]) =>
    Object.keys(properties).filter((name) => those.every(({ required }) => required.includes(name)));
  const required = inAll(choices);
  const together = Object.keys(properties)
    .filter((name) => !required.includes(name))
    .map((name) => {
      const having = choices.filter((choice) => Object.hasOwn(choice.properties, name));
      return [name, inAll(having).filter((other) => other !== name && !required.includes(other))];
    });
  return {
    type: 'object',
    properties: {
      ...properties,
      [key]: {
        ...(isSwitch ? { type: 'boolean' } : { type: 'string', enum: values }),
        ...(words !== undefined && { description: words }),
      },
    },
    required,
    dependentRequired: Object.fromEntries(together),
  };
}

/** The schema of a list's entries, if the list's length is checked before them: it is the last item of the pipe. */
function entryOf(schema: v.GenericSchema): v.GenericSchema | null {
  if ('wrapped' in schema) return entryOf(schema.wrapped as v.GenericSchema);
  const last = 'pipe' in schema ? (schema.pipe as readonly v.GenericSchema[]).at(-1) : null;
  return last?.type === 'array' ? (last as v.ArraySchema<v.GenericSchema, undefined>).item : null;
}

/**
 * A schema of the contract as JSON Schema (2020-12), in the form that a caller sends or receives. A part that is one of
 * the components becomes a reference to it.
 */
export function jsonSchemaOf(schema: v.GenericSchema, components: Components = []): JsonObject {
  const others = components.filter(([component]) => component !== schema);
  const shapes = [...PARSED, ...others.map(([component, name]) => [component, reference(name)] as const)];
  return withShapes(converted(schema, shapes), shapes) as JsonObject;
}

function converted(schema: v.GenericSchema, shapes: Shapes): JsonObject {
  const { $schema: _schema, $defs: _definitions, ...converted } = toJsonSchema(schema, configOf(shapes));
  return converted as JsonObject;
}

/** Replaces references by number with the shapes, and writes nullable types as a list of types. */
function withShapes(json: Json, shapes: Shapes): Json {
  if (Array.isArray(json)) return json.map((entry) => withShapes(entry, shapes));
  if (typeof json !== 'object' || json === null) return json;
  const others = Object.entries(json).map(([name, value]) => [name, withShapes(value, shapes)] as const);
  const { $ref: number, ...rest }: JsonObject = Object.fromEntries(others);
  const [, shape] = number === undefined ? [] : (shapes[Number(number)] ?? []);
  return withTypedDefault(nullable({ ...shape, ...rest }));
}

/** Writes a nullable type as a list of types, which client generators support better than `anyOf` with null. */
function nullable(whole: JsonObject): JsonObject {
  const { anyOf, ...rest } = whole;
  const [first, second] = Array.isArray(anyOf) ? (anyOf as JsonObject[]) : [];
  const isNullable = second?.type === 'null' && typeof first?.type === 'string';
  return isNullable ? { ...first, ...rest, type: [first.type as string, 'null'] } : whole;
}

/** Parses a default: in the contract the defaults of parameters are text. */
function withTypedDefault(whole: JsonObject): JsonObject {
  const { type, default: given } = whole;
  const isText = typeof given === 'string' && type !== undefined && type !== 'string';
  return isText ? { ...whole, default: JSON.parse(given) as Json } : whole;
}
