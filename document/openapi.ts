import type * as v from 'valibot';
import * as answers from '../shared/contract/answers.ts';
import { type Route, routesOf, schemasOf } from '../shared/contract/endpoint.ts';
import { type Endpoint, endpoints } from '../shared/contract/endpoints.ts';
import type { ProblemCode } from '../shared/contract/problems.ts';
import { mark, message, state } from '../shared/contract/schemas.ts';
import {
  type Components,
  ID_SHAPES,
  type Json,
  type JsonObject,
  jsonSchemaOf,
  reference,
} from './json-schema.ts';
import {
  type Occasion,
  PROBLEM_SCHEMAS,
  problemResponses,
  responseName,
  statusOf,
} from './problem-responses.ts';
import { type SampleCall, samplesOf } from './samples.ts';
import { withWords, wordsOfField } from './words.ts';

const TAGS = {
  Users: 'Read state of the user whose token makes the call.',
  'On behalf of users':
    'The same for back ends, about the user whom the path names. The answers are those of the routes for users.',
  'Back ends': 'What a chat reports: members and messages.',
  Health: 'Whether the service works.',
} as const;

type Tag = keyof typeof TAGS;

/** The problems of every endpoint. */
const COMMON_PROBLEMS: readonly ProblemCode[] = [
  'invalid_request',
  'too_large',
  'throttled',
  'internal',
  'unavailable',
];
/** The problems of endpoints that need a token. */
const CALLERS_PROBLEMS: readonly ProblemCode[] = ['unauthorized', 'forbidden'];

const STATUS_WORDS: Readonly<Record<string, string>> = {
  200: 'Done.',
  201: 'Done, and it is new.',
  202: 'It has begun, and an event reports the end. The answer has no body.',
  204: 'Done. The answer has no body.',
  503: 'The ledger does not answer, so that nothing can be acknowledged.',
};

const PARAMETERS: JsonObject = {
  groupId: parameterOf('groupId', reference('GroupId'), 'tea'),
  userId: parameterOf('userId', reference('UserId'), 'bob'),
  messageId: parameterOf('messageId', reference('MessageId'), '101'),
};

function parameterOf(name: string, schema: JsonObject, example: string): JsonObject {
  return { name, in: 'path', required: true, schema, example };
}

/** A name for each part of a request that generators of clients would name after each place that has it. */
const REQUEST_PARTS: Components = [
  [mark, 'Mark'],
  [message, 'Message'],
  [state.wrapped, 'ReceiptState'],
];

/** The answers and their parts. */
const ANSWERS: Components = Object.entries(answers)
  .filter(([, schema]) => schema !== answers.nothing)
  .map(([name, schema]) => [schema, capitalized(name)]);

/** The OpenAPI document of the contract. Its examples are the samples of docs/api.md, which a test runs. */
export async function openApi(): Promise<JsonObject> {
  const { calls } = await samplesOf('api.md');
  const paths: Record<string, JsonObject> = {};
  for (const endpoint of endpoints as readonly Endpoint[]) {
    for (const route of routesOf(endpoint)) {
      const { method, path } = route;
      paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(endpoint, route, calls) };
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tidemark',
      version: '1',
      description: [
        'Read state for group chat: one watermark for each member and group.',
        'Message ids are unsigned 64-bit integers, and text in this document, since many languages would round them as numbers.',
        'Unknown fields of a body and unknown query parameters are refused. Answers may get more fields: ignore those that you do not know.',
        "Deployed, the gateway's own answers (401, 403, 404, 413, 429, 500, 503) have only `message`: go by the status.",
      ].join(' '),
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      {
        url: 'http://127.0.0.1:3000',
        description: 'The local stack. The URL of a deployment is the output `ApiUrl` of its stack.',
      },
    ],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        user: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            "A user's token: its `sub` is the user, and it has the scope `tidemark/user`. A deployment can choose another scope, or none.",
        },
        service: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            "A back end's token, with the scope `tidemark/service`. A deployment can choose another scope, or signed calls (AWS Signature Version 4 for `execute-api`) in place of tokens.",
        },
      },
      parameters: PARAMETERS,
      schemas: {
        ...ID_SHAPES,
        ...Object.fromEntries(
          REQUEST_PARTS.map(([schema, name]) => [
            name,
            withWords(name, withFieldWords(name, shapeOf(schema))),
          ]),
        ),
        ...Object.fromEntries(requestBodies()),
        ...Object.fromEntries(
          ANSWERS.map(([schema, name]) => [name, withWords(name, open(shapeOf(schema)) as JsonObject)]),
        ),
        ...PROBLEM_SCHEMAS,
      },
      responses: problemResponses((endpoints as readonly Endpoint[]).flatMap(problemsByStatus), calls),
    },
  };
}

function capitalized(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function shapeOf(schema: v.GenericSchema): JsonObject {
  return jsonSchemaOf(schema, [...REQUEST_PARTS, ...ANSWERS]);
}

/** The bodies of requests. Both routes of an endpoint for users take the same one. */
function requestBodies(): (readonly [name: string, JsonObject])[] {
  return endpoints.flatMap((endpoint) => {
    const { body } = schemasOf(endpoint);
    if (Object.keys(body.entries).length === 0) return [];
    const isAnyNeeded = (endpoint as Endpoint).needsAnyField === true;
    const shape = withFieldWords(capitalized(endpoint.name), shapeOf(body));
    return [[requestName(endpoint), { ...shape, ...(isAnyNeeded && { minProperties: 1 }) }] as const];
  });
}

/** Describes each field of a body or a part of one. */
function withFieldWords(owner: string, shape: JsonObject): JsonObject {
  if (!('properties' in shape)) return shape;
  const described = Object.entries(shape.properties as Record<string, JsonObject>).map(([field, schema]) => {
    const description = wordsOfField(owner, field, schema.description);
    return [field, description === undefined ? schema : { ...schema, description }];
  });
  return { ...shape, properties: Object.fromEntries(described) };
}

function requestName({ name }: Pick<Endpoint, 'name'>): string {
  return `${capitalized(name)}Request`;
}

/** Allows unknown fields, because a later version may add fields to an answer. */
export function open(json: Json): Json {
  if (Array.isArray(json)) return json.map(open);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).filter(([name]) => name !== 'additionalProperties');
  return Object.fromEntries(entries.map(([name, value]) => [name, open(value)]));
}

function operationOf(endpoint: Endpoint, route: Route, calls: readonly SampleCall[]): JsonObject {
  const samples = samplesFor(endpoint, calls);
  const isTwin = endpoint.who !== route.who;
  return {
    operationId: isTwin ? `${endpoint.name}Of` : endpoint.name,
    summary: isTwin ? `${endpoint.summary}, on a user's behalf` : endpoint.summary,
    tags: [tagOf(route, isTwin)],
    ...(route.who === 'anyone' ? { security: [] } : { security: [{ [route.who]: [] }] }),
    parameters: [...pathParametersOf(route), ...queryParametersOf(endpoint)],
    ...requestBodyOf(endpoint, samples),
    responses: responsesOf(endpoint, samples),
  };
}

function tagOf({ who }: Route, isTwin: boolean): Tag {
  if (who === 'anyone') return 'Health';
  if (isTwin) return 'On behalf of users';
  return who === 'user' ? 'Users' : 'Back ends';
}

function pathParametersOf({ path }: Route): JsonObject[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ $ref: `#/components/parameters/${name}` }));
}

function queryParametersOf(endpoint: Endpoint): JsonObject[] {
  const { properties = {} } = shapeOf(schemasOf(endpoint).query);
  return Object.entries(properties as Record<string, JsonObject>).map(([name, schema]) => {
    const description = wordsOfField(capitalized(endpoint.name), name, schema.description);
    return { name, in: 'query', required: false, ...(description && { description }), schema };
  });
}

function requestBodyOf(endpoint: Endpoint, samples: readonly SampleCall[]): JsonObject {
  const { body, isBodyOptional } = schemasOf(endpoint);
  if (Object.keys(body.entries).length === 0) return {};
  const example = samples.find((sample) => sample.body !== undefined)?.body;
  const content = { schema: reference(requestName(endpoint)), ...(example !== undefined && { example }) };
  return { requestBody: { required: !isBodyOptional, content: { 'application/json': content } } };
}

/** The problems of an endpoint: a list for each status. */
function problemsByStatus(endpoint: Endpoint): Occasion[][] {
  const occasions = [
    ...COMMON_PROBLEMS,
    ...(endpoint.who === 'anyone' ? [] : CALLERS_PROBLEMS),
    ...(endpoint.problems ?? []),
  ].map((code) => (code === 'conflict' && endpoint.name === 'setGroup' ? 'conflict_of_parent' : code));
  return [...Map.groupBy(occasions, statusOf).values()];
}

function responsesOf(endpoint: Endpoint, samples: readonly SampleCall[]): JsonObject {
  const problems = problemsByStatus(endpoint).flatMap((occasions) =>
    occasions
      .slice(0, 1)
      .map((one) => [String(statusOf(one)), { $ref: `#/components/responses/${responseName(occasions)}` }]),
  );
  const answered = Object.entries(endpoint.answers).map(([status, schema]) => {
    const description = STATUS_WORDS[status];
    if (description === undefined) throw new Error(`The status ${status} has no words.`);
    const named = ANSWERS.find(([known]) => known === schema);
    if (!named) return [status, { description }];
    const example = samples.find((sample) => sample.status === Number(status))?.answer;
    const content = { schema: reference(named[1]), ...(example !== undefined && { example }) };
    return [status, { description, content: { 'application/json': content } }];
  });
  return Object.fromEntries([...problems, ...answered]);
}

/** The samples of the page that call an endpoint. */
function samplesFor(endpoint: Endpoint, calls: readonly SampleCall[]): readonly SampleCall[] {
  const [own] = routesOf(endpoint);
  const pattern = new RegExp(`^${own?.path.replace(/\{\w+\}/g, '[^/]+')}(\\?|$)`);
  return calls.filter(({ method, path }) => method === own?.method && pattern.test(path));
}
