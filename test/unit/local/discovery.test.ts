import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';
import { discover } from '../../../local/identity/discovery.ts';

let server: Listening;
let issuer: string;
let answer: { status: number; body: string };
const requestedUrls: (string | undefined)[] = [];
beforeAll(async () => {
  server = await listenOnLoopback(
    createServer((request, response) => {
      requestedUrls.push(request.url);
      response.writeHead(answer.status).end(answer.body);
    }),
  );
  issuer = server.url;
});
afterAll(() => server.close());

describe('an issuer', () => {
  test.each(['', '/', '/realms/chat', '/realms/chat/'])(
    'at %p has the URL of its keys in its discovery document',
    async (path) => {
      const keySetUrl = 'https://keys.example/all.json';
      answer = { status: 200, body: JSON.stringify({ issuer: issuer + path, jwks_uri: keySetUrl }) };
      expect(await discover(issuer + path, 'my-chat')).toEqual({
        issuer: issuer + path,
        audiences: ['my-chat'],
        keySetUrl: 'https://keys.example/all.json',
      });
      expect(requestedUrls.at(-1)).toBe(`${path.replace(/\/$/, '')}/.well-known/openid-configuration`);
    },
  );

  test.each([
    ['answers with an error', 404, '{}', 'answered 404'],
    ['answers with a page', 200, '<html>', 'does not answer with JSON'],
    ['names no keys', 200, '{"issuer":"https://issuer.example"}', 'has no issuer and jwks_uri'],
    [
      'names keys that are no URL',
      200,
      '{"issuer":"https://issuer.example","jwks_uri":"/keys"}',
      'has no issuer and jwks_uri',
    ],
    [
      'is another one',
      200,
      '{"issuer":"https://issuer.example","jwks_uri":"https://issuer.example/keys"}',
      'belongs to the issuer https://issuer.example',
    ],
  ])('that %s is refused in one sentence', async (_name, status, body, why) => {
    answer = { status, body };
    await expect(discover(issuer, 'my-chat')).rejects.toMatchObject({
      name: 'UsageError',
      message: `The issuer ${issuer} cannot be trusted: ${issuer}/.well-known/openid-configuration ${why}.`,
    });
  });

  test('that does not run is refused in one sentence', async () => {
    await expect(discover('http://127.0.0.1:9', 'my-chat')).rejects.toMatchObject({
      name: 'UsageError',
      message:
        'The issuer http://127.0.0.1:9 cannot be trusted: http://127.0.0.1:9/.well-known/openid-configuration does not answer with JSON.',
    });
  });
});
