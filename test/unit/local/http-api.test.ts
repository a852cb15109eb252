import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { HttpApi } from '../../../local/aws/gateway/http-api.ts';
import type { Lambda } from '../../../local/aws/lambda/lambda.ts';

const CORS = {
  AllowOrigins: ['https://chat.example.com'],
  AllowMethods: ['GET'],
  AllowHeaders: ['authorization'],
  ExposeHeaders: ['retry-after'],
  MaxAge: 600,
};

/** An API without routes, from a template with these properties. */
function apiWith(properties: object): HttpApi {
  const api = {
    logicalId: 'Api',
    type: 'AWS::ApiGatewayV2::Api',
    properties: { ProtocolType: 'HTTP', ...properties },
  };
  const template = {
    stackName: 'test',
    resources: [api],
    identityOf: () => ({ ref: 'Api', attributes: {} }),
    assetDirectory: () => undefined,
  };
  return new HttpApi(template, {} as Lambda, (issuer) => issuer, {
    alsoAllowsOrigin: () => true,
    otherIssuers: [],
    backEnd: { accessKeyId: 'a', secretAccessKey: 's' },
  });
}

const preflight = {
  method: 'OPTIONS',
  url: '/v1/health',
  headers: { origin: 'https://chat.example.com', 'access-control-request-method': 'GET' },
} as IncomingMessage;

describe('an API', () => {
  test('does not answer a preflight if the template allows no origin', async () => {
    const { statusCode, headers } = await apiWith({}).handle(preflight);
    expect(statusCode).toBe(404);
    expect(headers).toEqual({ 'content-type': 'application/problem+json' });
  });

  test('answers a problem with the title of the contract and the message of AWS', async () => {
    const { body } = await apiWith({}).handle({
      method: 'GET',
      url: '/v1/none',
      headers: {},
    } as IncomingMessage);
    expect(JSON.parse(String(body))).toEqual({
      type: 'about:blank',
      title: 'Not found',
      status: 404,
      code: 'not_found',
      detail: 'There is no such route.',
      requestId: expect.stringMatching(/./),
      message: 'Not Found',
    });
  });

  test('answers a preflight if the template allows an origin', async () => {
    const { statusCode, headers } = await apiWith({ CorsConfiguration: CORS }).handle(preflight);
    expect(statusCode).toBe(204);
    expect(headers).toMatchObject({ 'access-control-allow-origin': 'https://chat.example.com' });
  });

  test.each([
    ['AllowOrigins', ['*'], 'the local stack does not support wildcards here'],
    ['AllowOrigins', ['https://*'], 'the local stack does not support wildcards here'],
    ['AllowMethods', ['*'], 'the local stack does not support wildcards here'],
    ['AllowHeaders', ['*'], 'the local stack does not support wildcards here'],
    ['ExposeHeaders', ['*'], 'the local stack does not support wildcards here'],
    ['AllowCredentials', true, 'AllowCredentials'],
  ])('is refused if %s is %j', (name, value, problem) => {
    expect(() => apiWith({ CorsConfiguration: { ...CORS, [name]: value } })).toThrow(problem);
  });
});
