import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { isFromThisMachine, isOriginOfThisMachine } from '../../../local/http/same-machine.ts';

type Headers = Record<string, string[]>;
const from = (headersDistinct: Headers) =>
  isFromThisMachine({ headersDistinct } as unknown as IncomingMessage);

describe('a request comes from this machine', () => {
  test.each([
    '127.0.0.1',
    '127.0.0.1:3000',
    'localhost',
    'LOCALHOST:3000',
    '[::1]:3000',
    'tidemark.localhost:3000',
    'a.b-c.localhost',
  ])('with the host %s', (host) => {
    expect(from({ host: [host] })).toBe(true);
  });

  test.each(['http://localhost:5173', 'https://127.0.0.1', 'http://[::1]:8080', 'http://app.localhost'])(
    'with the origin %s and any Sec-Fetch-Site',
    (origin) => {
      expect(from({ host: ['127.0.0.1:3000'], origin: [origin], 'sec-fetch-site': ['cross-site'] })).toBe(
        true,
      );
    },
  );

  test.each(['same-origin', 'same-site', 'none'])('with Sec-Fetch-Site: %s', (site) => {
    expect(from({ host: ['127.0.0.1:3000'], 'sec-fetch-site': [site] })).toBe(true);
  });
});

describe('a request is foreign', () => {
  test.each([
    'evil.example',
    'evil.example:3000',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'evil-localhost',
    'evil.example#.localhost',
    'user@localhost',
    'localhost.',
    '.localhost',
    '0.0.0.0:3000',
    '192.168.1.5:3000',
    '127.0.0.1:3000:3000',
    '127.0.0.1:port',
    '',
  ])('with the host %p', (host) => {
    expect(from({ host: [host] })).toBe(false);
  });

  test('without a host, or with two', () => {
    expect(from({})).toBe(false);
    expect(from({ host: ['127.0.0.1', 'evil.example'] })).toBe(false);
    expect(from({ host: ['127.0.0.1', '127.0.0.1'] })).toBe(false);
  });

  test.each([
    'https://evil.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://evil.example/?http://localhost',
    'null',
    'file://',
    'chrome-extension://localhost',
    'localhost',
    '',
  ])('with the origin %p', (origin) => {
    expect(from({ host: ['127.0.0.1:3000'], origin: [origin] })).toBe(false);
    expect(from({ host: ['127.0.0.1:3000'], origin: [origin], 'sec-fetch-site': ['same-origin'] })).toBe(
      false,
    );
    expect(from({ host: ['127.0.0.1:3000'], origin: ['http://localhost', origin] })).toBe(false);
  });

  test('if the browser marks it as cross-site, such as an image or a link', () => {
    expect(from({ host: ['127.0.0.1:3000'], 'sec-fetch-site': ['cross-site'] })).toBe(false);
  });
});

describe('an origin', () => {
  test.each([
    'http://localhost',
    'http://localhost:5173',
    'https://localhost:8443',
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
    'https://chat.localhost',
  ])('is of this machine: %s', (origin) => {
    expect(isOriginOfThisMachine(origin)).toBe(true);
  });

  test.each(['https://evil.example', 'http://localhost.evil.example', 'http://192.168.1.5:3000', 'null', ''])(
    'is foreign: %p',
    (origin) => {
      expect(isOriginOfThisMachine(origin)).toBe(false);
    },
  );
});
