import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { documents } from '../../../document/documents.ts';
import { expectDocumented, expectDocumentedEvent } from '../../support/documented.ts';

const run = promisify(execFile);
const fileIn = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

async function readDocument<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(fileIn(`docs/${name}`), 'utf8')) as T;
}

test('the documents in docs/ are those of the contract: npm run openapi writes them', async () => {
  const made = await documents();
  expect(made.map(({ file }) => basename(file))).toEqual([
    'openapi.json',
    'events.schema.json',
    'frames.schema.json',
  ]);
  for (const { file, text } of made) expect(await readFile(file, 'utf8')).toBe(text);
});

test('the linter of OpenAPI has nothing against the document, and its examples fit their schemas', async () => {
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

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters: readonly { readonly $ref?: string; readonly name?: string }[];
  readonly requestBody?: { readonly required: boolean };
  readonly responses: object;
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

  test('has each route, with who may call it', async () => {
    const found = await operations();
    expect(found.size).toBe(25);
    const security = (route: string) => found.get(route)?.security;
    expect(security('put /v1/groups/{groupId}/watermark')).toEqual([{ user: [] }]);
    expect(security('put /v1/users/{userId}/groups/{groupId}/watermark')).toEqual([{ service: [] }]);
    expect(security('post /v1/groups/{groupId}/messages')).toEqual([{ service: [] }]);
    expect(security('get /v1/health')).toEqual([]);
  });

  test('has what a route takes and every answer of it', async () => {
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
    const inbox = found.get('get /v1/inbox');
    expect(inbox?.parameters.map(({ name }) => name)).toEqual(['unreadOnly', 'limit', 'cursor']);
    expect(inbox?.requestBody).toBeUndefined();
    expect(found.get('put /v1/groups/{groupId}/members/{userId}')?.requestBody?.required).toBe(false);
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

describe('an answer', () => {
  const added = { added: 1, existing: 0 };
  const answerOf = (status: number, body: Record<string, number>, contentType = 'application/json') => ({
    status,
    contentType,
    text: JSON.stringify(body),
    body,
  });
  const check = (answer: ReturnType<typeof answerOf>) => () =>
    expectDocumented('POST', '/v1/groups/tea/members', answer);

  test('is taken as the document has it', () => {
    expect(check(answerOf(200, added))).not.toThrow();
    // A route that is not there has no answers.
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

describe('an event', () => {
  const event = {
    id: 'e1',
    time: '2026-11-25T18:55:26Z',
    source: 'tidemark',
    'detail-type': 'GroupFullyRead',
    detail: { version: '1', groupId: 'tea', upTo: '101' },
  };

  test('is taken as the document has it', () => {
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
