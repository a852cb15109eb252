import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodePosition, encodePosition } from '../../../shared/cache/position-text.ts';
import type { Position } from '../../../shared/domain/position.ts';

const position = fc
  .bigInt({ min: 0n, max: 2n ** 64n - 1n })
  .map((id) => String(id).padStart(20, '0') as Position);

describe('a position in the cache', () => {
  test.each([
    ['00000000000000000000', '0000000000000'],
    ['00000000000000000101', '000000000002t'],
    ['00009007199254740992', '002gosa7pa2gw'],
    ['00009007199254740993', '002gosa7pa2gx'],
    ['18446744073709551615', '3w5e11264sgsf'],
  ])('%s is written as %s', (decimal, text) => {
    expect(encodePosition(decimal as Position)).toBe(text);
    expect(decodePosition(text)).toBe(decimal);
  });

  test('converts back, and keeps the order', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        expect(decodePosition(encodePosition(a))).toBe(a);
        expect(encodePosition(a) < encodePosition(b)).toBe(a < b);
      }),
    );
  });

  test.each([
    '',
    '5',
    '00000000000000000005',
    '3w5e11264sgsg',
    '4000000000000',
    '000000000002T',
    '0000000000-05',
  ])('%j is refused', (text) => {
    expect(() => decodePosition(text)).toThrow('not a position');
  });
});
