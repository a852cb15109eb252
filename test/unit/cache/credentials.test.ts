import { describe, expect, test } from '@jest/globals';
import { credentialsIn } from '../../../shared/cache/upstash.ts';

describe('the text of the secret', () => {
  test('gives URL and token', () => {
    expect(credentialsIn('{"url":"https://cache.example","token":"t","note":"x"}')).toEqual({
      url: 'https://cache.example',
      token: 't',
    });
  });

  test.each([
    ['a-bare-token'],
    ['{"url":"https://cache.example","token":"a-bare-token'],
    ['null'],
    ['[]'],
    ['{"url":"https://cache.example"}'],
    ['{"url":"https://cache.example","token":""}'],
    ['{"url":7,"token":"a-bare-token"}'],
    ['{"url":"a-bare-token","token":"https://cache.example"}'],
  ])('%s is refused with an error that does not contain it', (text) => {
    let thrown: unknown;
    try {
      credentialsIn(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toEqual(new Error('the Upstash secret must be JSON with url and token'));
    expect(JSON.stringify(thrown, Object.getOwnPropertyNames(thrown))).not.toContain('bare-token');
  });
});
