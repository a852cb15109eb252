import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { documents } from '../../../document/documents.ts';
import type { Json } from '../../../document/json-schema.ts';
import { expectDocumented, expectDocumentedEvent } from '../../support/documented.ts';
import { expectedRoutes } from '../../support/expected-functions.ts';

const run = promisify(execFile);
const fileIn = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

async function readDocument<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(fileIn(`docs/${name}`), 'utf8')) as T;
}

test('the documents in docs/ are what npm run openapi writes', async () => {
  const made = await documents();
  expect(made.map(({ file }) => basename(file))).toEqual([
    'openapi.json',
    'events.schema.json',
    'frames.schema.json',
  ]);
  for (const { file, text } of made) expect(await readFile(file, 'utf8')).toBe(text);
});

test('the OpenAPI linter finds nothing, and the examples match their schemas', async () => {
  const cli = fileIn('node_modules/@redocly/cli/bin/cli.js');
  const linted = run(
    process.execPath,
    [
      cli,
      'lint',
      '--config',
      fileIn('document/redocly.yaml'),
      '--format',
      'json',
      fileIn('docs/openapi.json'),
    ],
    {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        REDOCLY_TELEMETRY: 'off',
        REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
      },
    },
  );
  const { stdout } = await linted.catch((error: { readonly stdout: string }) => error);
  const { problems } = JSON.parse(stdout) as { readonly problems: readonly { readonly message: string }[] };
  expect(problems.map(({ message }) => message)).toEqual([]);
});

interface Described {
  readonly description?: string;
  readonly $ref?: string;
  readonly items?: Described;
  readonly properties?: Readonly<Record<string, Described>>;
}

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters: readonly (Described & { readonly name?: string; readonly schema?: Described })[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: { readonly 'application/json': { readonly schema: { readonly $ref?: string } } };
  };
  readonly responses: Readonly<Record<string, Described>>;
}

describe('the OpenAPI document', () => {
  const operations = async () => {
    const { paths } = await readDocument<{ paths: Record<string, Record<string, Operation>> }>(
      'openapi.json',
    );
    return new Map<string, Operation>(
      Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]): [string, Operation] => [
          `${method} ${path}`,
          operation,
        ]),
      ),
    );
  };

  test('has each route with its security scheme', async () => {
    const found = await operations();
    expect([...found.keys()].toSorted()).toEqual(
      expectedRoutes.map(({ method, path }) => `${method.toLowerCase()} ${path}`).toSorted(),
    );
    const security = (route: string) => found.get(route)?.security;
    expect(security('put /v1/groups/{groupId}/watermark')).toEqual([{ user: [] }]);
    expect(security('put /v1/users/{userId}/groups/{groupId}/watermark')).toEqual([{ service: [] }]);
    expect(security('post /v1/groups/{groupId}/messages')).toEqual([{ service: [] }]);
    expect(security('get /v1/health')).toEqual([]);
  });

  test('has the inputs and every answer of a route', async () => {
    const found = await operations();
    const mark = found.get('put /v1/users/{userId}/groups/{groupId}/watermark');
    expect(mark?.operationId).toBe('markReadOf');
    expect(mark?.parameters.map(({ $ref }) => $ref)).toEqual([
      '#/components/parameters/userId',
      '#/components/parameters/groupId',
    ]);
    expect(mark?.requestBody?.required).toBe(true);
    expect(Object.keys(mark?.responses ?? {})).toEqual([
      '200',
      '400',
      '401',
      '403',
      '404',
      '409',
      '413',
      '429',
      '500',
      '503',
    ]);
    const counts = found.get('post /v1/groups/{groupId}/receipts');
    // Two problems have this status.
    expect(counts?.responses).toMatchObject({
      403: { $ref: '#/components/responses/forbidden_or_receipts_off' },
      404: { $ref: '#/components/responses/not_found' },
    });
    const inbox = found.get('get /v1/inbox');
    expect(inbox?.parameters.map(({ name }) => name)).toEqual([
      ...['unreadOnly', 'archived', 'parentId'],
      ...['limit', 'cursor'],
    ]);
    expect(inbox?.requestBody).toBeUndefined();
    expect(found.get('put /v1/groups/{groupId}/members/{userId}')?.requestBody?.required).toBe(false);
  });

  test('describes every parameter, field and answer', async () => {
    const { components } = await readDocument<{
      components: Record<'schemas' | 'parameters' | 'responses', Readonly<Record<string, Described>>>;
    }>('openapi.json');
    const isDescribed = ({ $ref = '', description, items }: Described): boolean => {
      if (description) return true;
      const [, kind = '', name = ''] = /^#\/components\/(\w+)\/(\w+)$/.exec($ref) ?? [];
      if (kind === 'parameters') return true;
      const named = kind === 'schemas' || kind === 'responses' ? components[kind][name] : items;
      return named !== undefined && isDescribed(named);
    };
    const without: string[] = [];
    for (const [route, { parameters, responses }] of await operations()) {
      for (const parameter of parameters) {
        if (!isDescribed(parameter)) without.push(`${parameter.name} of ${route}`);
      }
      for (const [status, response] of Object.entries(responses)) {
        if (!isDescribed(response)) without.push(`${status} of ${route}`);
      }
    }
    for (const [name, { properties = {} }] of Object.entries(components.schemas)) {
      for (const [field, schema] of Object.entries(properties)) {
        if (!isDescribed(schema)) without.push(`${name}.${field}`);
      }
    }
    expect(without).toEqual([]);
  });

  test('requires one field where a body without any is refused', async () => {
    const { components } = await readDocument<{ components: { schemas: Readonly<Record<string, object>> } }>(
      'openapi.json',
    );
    const names = Object.entries(components.schemas)
      .filter(([, schema]) => 'minProperties' in schema && schema.minProperties === 1)
      .map(([name]) => name);
    expect(names).toEqual(['SetPreferencesRequest', 'SetGroupRequest']);
  });

  test('describes each conflict of a route as it can occur there', async () => {
    const { components } = await readDocument<{
      components: { responses: Readonly<Record<string, Described & { readonly content: object }>> };
    }>('openapi.json');
    const conflictOf = async (route: string) => {
      const { $ref = '' } = (await operations()).get(route)?.responses[409] ?? {};
      const { description, content } = components.responses[$ref.split('/').at(-1) ?? ''] ?? {};
      return { description, content };
    };
    expect(await conflictOf('put /v1/groups/{groupId}')).toMatchObject({
      description: 'The group has another parent. Nothing has changed.',
      content: {
        'application/problem+json': {
          example: {
            code: 'conflict',
            detail: 'The parent of a group is set once, and this group has another one.',
          },
        },
      },
    });
    expect(await conflictOf('post /v1/groups/{groupId}/messages')).toMatchObject({
      description: 'The message is known under another sender. Nothing has changed.',
      content: {
        'application/problem+json': {
          example: { code: 'conflict', detail: 'This message is known under another sender.' },
        },
      },
    });
  });

  test('has message ids as text', async () => {
    const { components } = await readDocument<{
      components: { schemas: Record<string, { properties: Record<string, unknown> }> };
    }>('openapi.json');
    expect(components.schemas.MessageId).toMatchObject({ type: 'string', pattern: '^[1-9][0-9]{0,19}$' });
    expect(components.schemas.Watermark?.properties).toMatchObject({
      messageId: { type: ['string', 'null'], pattern: '^[1-9][0-9]{0,19}$' },
      head: { type: ['string', 'null'], pattern: '^[1-9][0-9]{0,19}$' },
    });
  });
});

type Schema = Readonly<Record<string, unknown>>;

interface Components {
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<
      Record<string, { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }>
    >;
  };
}

describe('a generator of clients', () => {
  const read = () => readDocument<Components & { readonly paths: Schema }>('openapi.json');

  /** Where the schema of an object stands. */
  const unnamedIn = (json: unknown, path: string): string[] => {
    if (typeof json !== 'object' || json === null) return [];
    const within = Object.entries(json)
      .filter(([name]) => name !== 'example')
      .flatMap(([name, inner]) => unnamedIn(inner, `${path}/${name}`));
    return 'type' in json && json.type === 'object' ? [path, ...within] : within;
  };

  test('finds a name for each object', async () => {
    const { paths, components } = await read();
    expect(unnamedIn(paths, 'paths')).toEqual([]);
    const inSchemas = Object.entries(components.schemas).flatMap(([name, schema]) =>
      unnamedIn(schema, name).filter((path) => path !== name),
    );
    expect(inSchemas).toEqual([]);
  });

  test('finds one type where several answers or bodies have the same part', async () => {
    const { paths, components } = await read();
    const bodyOf = (path: string) => (paths[path] as { put: Operation }).put.requestBody?.content;
    const mark = { 'application/json': { schema: { $ref: '#/components/schemas/MarkReadRequest' } } };
    expect(bodyOf('/v1/groups/{groupId}/watermark')).toMatchObject(mark);
    expect(bodyOf('/v1/users/{userId}/groups/{groupId}/watermark')).toMatchObject(mark);
    for (const name of ['Watermark', 'WatermarkMoved', 'InboxGroup', 'RevisionConflict']) {
      expect(components.schemas[name]?.properties).toMatchObject({
        unread: { $ref: '#/components/schemas/Unread' },
      });
    }
    for (const name of ['Problem', 'InvalidRequest', 'RevisionConflict']) {
      expect(components.schemas[name]?.properties).toMatchObject({
        code: { $ref: '#/components/schemas/ProblemCode' },
      });
    }
  });

  // Some would refuse the fields that a later version adds to one of the choices.
  test('finds one object where entries of a list differ in their fields', async () => {
    const { components } = await read();
    expect(JSON.stringify(components.schemas)).not.toContain('"oneOf"');
    expect(components.schemas.MarkOutcome).toMatchObject({
      type: 'object',
      properties: {
        outcome: { type: 'string', enum: ['advanced', 'unchanged', 'conflict', 'not_found', 'failed'] },
        revision: { type: 'integer' },
      },
      required: ['groupId', 'outcome'],
    });
    expect(components.schemas.MessageReceipts).toMatchObject({
      type: 'object',
      properties: { known: { type: 'boolean' }, readByAll: { type: 'boolean' } },
      required: ['messageId', 'known'],
    });
  });

  // Many look at the status alone. What a gateway sends has none of the fields of a problem.
  test('finds one type for a problem of a status and for what the gateway answers with that status', async () => {
    const { components } = await read();
    for (const code of ['unauthorized', 'forbidden', 'too_large', 'throttled', 'internal', 'unavailable']) {
      const schema = { $ref: '#/components/schemas/GatewayProblem' };
      expect(components.responses[code]?.content).toMatchObject({
        'application/problem+json': { schema },
        'application/json': { schema },
      });
    }
    expect(components.schemas.GatewayProblem?.required).toBeUndefined();
    expect(components.responses.forbidden_or_receipts_off?.content).toMatchObject({
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/GatewayProblem' },
        examples: {
          forbidden: { value: { status: 403, code: 'forbidden' } },
          receipts_off: { value: { status: 403, code: 'receipts_off' } },
        },
      },
      'application/json': { example: { message: 'Forbidden' } },
    });
    expect(components.responses.unauthorized?.content).toMatchObject({
      'application/problem+json': { example: { status: 401, code: 'unauthorized' } },
      'application/json': { example: { message: 'Unauthorized' } },
    });
  });
});

describe('an answer', () => {
  const added = { added: 1, existing: 0 };
  const answerOf = (status: number, body: Record<string, Json>, contentType = 'application/json') => ({
    status,
    contentType,
    text: JSON.stringify(body),
    body,
  });
  const check = (answer: ReturnType<typeof answerOf>) => () =>
    expectDocumented('POST', '/v1/groups/tea/members', answer);

  test('is accepted in the form of the document', () => {
    expect(check(answerOf(200, added))).not.toThrow();
    // An unknown route has no answers.
    expect(() => expectDocumented('PATCH', '/v1/groups/tea', answerOf(200, {}))).not.toThrow();
  });

  test.each([
    ['another status', answerOf(201, added)],
    ['a field less', answerOf(200, { added: 1 })],
    ['a field more', answerOf(200, { ...added, more: 1 })],
    ['another value', answerOf(200, { ...added, existing: -1 })],
    ['another content type', answerOf(200, added, 'text/plain')],
  ])('is refused with %s', (_what, answer) => {
    expect(check(answer)).toThrow('docs/openapi.json has no such answer of POST /v1/groups/tea/members');
  });
});

describe('an answer whose entries differ in their fields', () => {
  const check = (receipt: Record<string, Json>) => () => {
    const body = { groupId: 'tea', receipts: [receipt] };
    const text = JSON.stringify(body);
    const answer = { status: 200, contentType: 'application/json', text, body };
    expectDocumented('POST', '/v1/groups/tea/receipts', answer);
  };
  const known = {
    messageId: '1',
    known: true,
    audience: 2,
    readCount: 1,
    deliveredCount: 1,
    readByAll: false,
  };

  test('is taken with the fields of each kind', () => {
    expect(check(known)).not.toThrow();
    expect(check({ messageId: '1', known: false })).not.toThrow();
  });

  test.each([
    ['without a field', { messageId: '1', known: true, audience: 2, readCount: 1, deliveredCount: 1 }],
    ['without what makes the kind', { messageId: '1' }],
  ])('is refused %s', (_what, receipt) => {
    expect(check(receipt)).toThrow('docs/openapi.json has no such answer');
  });
});

describe('an answer of a status that the gateway has, too', () => {
  const problem = {
    type: 'about:blank',
    title: 'Not authenticated',
    status: 401,
    code: 'unauthorized',
    detail: 'Invalid JWT',
    requestId: 'r1',
  };
  const check = (body: Record<string, Json>, contentType: string) => () =>
    expectDocumented('GET', '/v1/inbox', { status: 401, contentType, text: '{}', body });

  test('is a whole problem, or the message of the gateway', () => {
    expect(check(problem, 'application/problem+json')).not.toThrow();
    expect(check({ ...problem, message: 'Unauthorized' }, 'application/problem+json')).not.toThrow();
    expect(check({ message: 'Unauthorized' }, 'application/json')).not.toThrow();
  });

  test.each(Object.keys(problem))('is refused as a problem without %s', (field) => {
    const { [field]: _left, ...others } = problem as Record<string, Json>;
    expect(check(others, 'application/problem+json')).toThrow('docs/openapi.json has no such answer');
  });
});

describe('an event', () => {
  const event = {
    id: 'e1',
    time: '2026-11-25T18:55:26Z',
    source: 'tidemark',
    'detail-type': 'GroupFullyRead',
    detail: { version: '1', groupId: 'tea', upTo: '101' },
  };

  test('is accepted in the form of the document', () => {
    expect(() => expectDocumentedEvent(event)).not.toThrow();
  });

  test.each([
    ['an id that is a number', { ...event, detail: { ...event.detail, upTo: 101 } }],
    ['the detail of another', { ...event, 'detail-type': 'DeliveryAdvanced' }],
    ['a field more', { ...event, detail: { ...event.detail, more: 1 } }],
    ['an unknown type', { ...event, 'detail-type': 'Else' }],
  ])('is refused with %s', (_what, wrong) => {
    expect(() => expectDocumentedEvent(wrong)).toThrow();
  });
});
