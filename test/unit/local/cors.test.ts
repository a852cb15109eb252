import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { Cors } from '../../../local/aws/gateway/cors.ts';

const cors = new Cors(
  {
    AllowOrigins: ['https://chat.example.com', 'http://localhost:5173'],
    AllowMethods: ['GET', 'PUT'],
    AllowHeaders: ['authorization', 'Content-Type'],
    ExposeHeaders: ['retry-after'],
    MaxAge: 600,
  },
  (origin) => origin.startsWith('http://mine.localhost:'),
);

describe('a preflight', () => {
  const ask = (headers: Record<string, string>) => cors.preflightHeaders(headers as IncomingHttpHeaders);
  const GET = { 'access-control-request-method': 'GET' };

  test.each([
    {},
    { 'access-control-request-headers': '' },
    { 'access-control-request-headers': 'authorization' },
    { 'access-control-request-headers': 'authorization,content-type' },
    { 'access-control-request-headers': 'Content-Type, AUTHORIZATION' },
  ])('is allowed with %p', (requested) => {
    expect(ask({ origin: 'https://chat.example.com', ...GET, ...requested })).toEqual({
      'access-control-allow-origin': 'https://chat.example.com',
      'access-control-allow-methods': 'GET,PUT',
      'access-control-allow-headers': 'authorization,Content-Type',
      'access-control-max-age': '600',
      vary: 'Origin',
    });
  });

  test.each(['http://localhost:5173', 'http://mine.localhost:1', 'http://mine.localhost:65535'])(
    'is allowed for %s',
    (origin) => {
      expect(ask({ origin, ...GET })).toMatchObject({ 'access-control-allow-origin': origin });
    },
  );

  test.each([
    'http://chat.example.com',
    'https://chat.example.com:8443',
    'https://chat.example.com.evil.example',
    'https://evil.example',
    'http://localhost:5174',
    'https://chat.example.com, https://evil.example',
    'null',
    '*',
    '',
  ])('gets nothing for the origin %p', (origin) => {
    expect(ask({ origin, ...GET })).toEqual({});
  });

  test.each([
    {},
    { 'access-control-request-method': 'PATCH' },
    { 'access-control-request-method': 'get' },
    { 'access-control-request-method': '' },
    { ...GET, 'access-control-request-headers': 'x-evil' },
    { ...GET, 'access-control-request-headers': 'authorization,x-evil' },
    { ...GET, 'access-control-request-headers': 'authorization content-type' },
  ])('gets nothing with %p', (requested) => {
    expect(ask({ origin: 'https://chat.example.com', ...requested })).toEqual({});
  });

  test('gets nothing without an origin', () => {
    expect(ask(GET)).toEqual({});
  });
});

describe('an answer', () => {
  test.each(['https://chat.example.com', 'http://mine.localhost:5173'])('can be read by %s', (origin) => {
    expect(cors.answerHeaders({ 'content-type': 'application/json' }, origin)).toEqual({
      'content-type': 'application/json',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'retry-after',
      vary: 'Origin',
    });
  });

  test.each([undefined, 'https://evil.example', 'null'])('is unchanged for the origin %p', (origin) => {
    const headers = { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] };
    expect(cors.answerHeaders(headers, origin)).toEqual({
      'content-type': 'application/json',
      'set-cookie': ['a=1', 'b=2'],
    });
  });

  test.each([undefined, 'https://evil.example'])(
    'loses the function’s own CORS headers, for the origin %p',
    (origin) => {
      const headers = {
        'Access-Control-Allow-Origin': '*',
        'access-control-allow-credentials': 'true',
        'retry-after': '1',
      };
      expect(cors.answerHeaders(headers, origin)).toEqual({ 'retry-after': '1' });
    },
  );

  test('keeps its other values of Vary', () => {
    const headers = { Vary: 'Accept', 'Access-Control-Allow-Origin': '*' };
    expect(cors.answerHeaders(headers, 'https://chat.example.com')).toEqual({
      'access-control-allow-origin': 'https://chat.example.com',
      'access-control-expose-headers': 'retry-after',
      vary: 'Accept, Origin',
    });
  });
});
