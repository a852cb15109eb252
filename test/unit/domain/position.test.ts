import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatMessageId, parseMessageId, parsePosition, START } from '../../../shared/domain/position.ts';

describe('message ids', () => {
  test.each([
    ['1', '00000000000000000001'],
    [1, '00000000000000000001'],
    [9007199254740991, '09007199254740991'.padStart(20, '0')],
    ['9007199254740992', '00009007199254740992'],
    ['9007199254740993', '00009007199254740993'],
    ['18446744073709551614', '18446744073709551614'],
    ['18446744073709551615', '18446744073709551615'],
  ])('%j is at %s', (id, position) => {
    expect(parseMessageId(id)).toBe(position);
  });

  test.each([
    [0],
    ['0'],
    [-1],
    ['-1'],
    ['+1'],
    [1.5],
    ['1.5'],
    ['1e3'],
    ['0x10'],
    ['18446744073709551616'],
    ['99999999999999999999'],
    ['100000000000000000000'],
    [9007199254740992],
    ['01'],
    [' 1'],
    ['1 '],
    ['1\n'],
    [''],
    ['١٢'],
    ['１'],
    [null],
    [undefined],
    [true],
    [['1']],
    [{}],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [10n],
  ])('%p is not a message id', (id) => {
    expect(parseMessageId(id)).toBeNull();
  });

  test('positions sort as text in the order of their ids, and each converts back to its id', () => {
    const id = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(id, id, (a, b) => {
        const [x, y] = [parseMessageId(String(a)), parseMessageId(String(b))];
        if (!x || !y) throw new Error('a valid id was refused');
        expect(x < y).toBe(a < b);
        expect(formatMessageId(x)).toBe(String(a));
      }),
    );
  });

  test('the start is the position of no message', () => {
    expect(formatMessageId(START)).toBeNull();
  });

  test.each(['', '1', '0000000000000000000x', '18446744073709551616', '000000000000000000001'])(
    'the stored text %j is no position',
    (text) => {
      expect(parsePosition(text)).toBeNull();
    },
  );
});
