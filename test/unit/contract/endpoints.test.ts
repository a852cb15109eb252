import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import { ok, reply, serve } from '../../../functions/runtime/serve.ts';
import { type Request, routesOf, schemasOf } from '../../../shared/contract/endpoint.ts';
import { endpoints } from '../../../shared/contract/endpoints.ts';
import { FUNCTION_PROBLEMS, PROBLEMS } from '../../../shared/contract/problems.ts';
import * as requests from '../../../shared/contract/requests.ts';
import { expectedRoutes } from '../../support/expected-functions.ts';

const byName: readonly (readonly [string, Request])[] = endpoints.map((endpoint) => [
  endpoint.name,
  endpoint,
]);

describe('the contract', () => {
  test('has every endpoint once, with its own name', () => {
    expect(endpoints.map(({ name }) => name).toSorted()).toEqual(Object.keys(requests).toSorted());
  });

  test('has exactly the routes of the table, each once', () => {
    const inWords = ({ who, method, path }: { who: string; method: string; path: string }) =>
      `${method} ${path} for ${who}`;
    expect(endpoints.flatMap(routesOf).map(inWords).toSorted()).toEqual(
      expectedRoutes.map(inWords).toSorted(),
    );
    const keys = expectedRoutes.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test.each(byName)('has a schema for each name in the path of %s', (_name, endpoint) => {
    for (const { path } of routesOf(endpoint)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(schemasOf(endpoint).path.entries)).toEqual(expect.arrayContaining(names));
    }
  });

  test.each(byName)('has no two inputs with the same name in %s', (_name, endpoint) => {
    const { path, query, body } = schemasOf(endpoint);
    const names = [path, query, body].flatMap(({ entries }) => Object.keys(entries));
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(byName)('refuses unknown inputs of %s', (_name, endpoint) => {
    const { path, query, body } = schemasOf(endpoint);
    for (const schema of [path, query, body]) {
      const faults = v.safeParse(schema, { unheardOf: '1' }).issues ?? [];
      expect(faults.map((fault) => v.getDotPath(fault))).toContain('unheardOf');
    }
  });

  test('has a status and a title for every problem', () => {
    expect(
      Object.entries(PROBLEMS)
        .map(([code, { status }]) => `${status} ${code}`)
        .toSorted(),
    ).toEqual([
      '400 invalid_request',
      '401 unauthorized',
      '403 forbidden',
      '403 receipts_off',
      '404 not_found',
      '409 conflict',
      '409 revision_conflict',
      '413 too_large',
      '429 throttled',
      '500 internal',
      '503 unavailable',
    ]);
    expect(new Set(Object.values(PROBLEMS).map(({ title }) => title)).size).toBe(11);
    expect(Object.keys(FUNCTION_PROBLEMS)).not.toContain('throttled');
  });
});

test('a function can give only the answers of its endpoint', () => {
  const added = { added: 1, existing: 0 };
  serve(requests.addMembers, async () => ok(added));
  // @ts-expect-error: it has no such status
  serve(requests.addMembers, async () => reply(201, added));
  // @ts-expect-error: it lacks a field
  serve(requests.addMembers, async () => ok({ added: 1 }));
  // @ts-expect-error: there is no such name in the path
  serve(requests.addMembers, async ({ messageId }) => ok({ ...added, messageId }));
  serve(requests.deleteMessage, async ({ groupId, messageId }) => {
    const names: readonly string[] = [groupId, messageId];
    return reply(204, void names);
  });
});
