import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeHead, encodeHead } from '../../../shared/cache/head-text.ts';
import type { Head } from '../../../shared/domain/head.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { AT_START, headAt, headCopy } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';

const settings = (revision: number, parentId: string | null, receipts: Head['settings']['receipts']) => ({
  settings: { revision, parentId: parentId as GroupId | null, receipts },
});

describe('the text of a head', () => {
  test.each<[string, Head]>([
    ['0000000000000', AT_START],
    ['0000000000009', headAt(9)],
    ['0000000000009^0000000000005', { ...headAt(9), loud: at(5) }],
    ['0loyw3v28!0000000000009', { ...headAt(9), epoch: 1_700_000_000_000 }],
    [
      '00000000z!0000000000009^0000000000005;2/tea',
      { ...headAt(9), epoch: 35, loud: at(5), ...settings(2, 'tea', 'members') },
    ],
    ['0000000000009;1o', { ...headAt(9), ...settings(1, null, 'off') }],
    ['0000000000009;2', { ...headAt(9), ...settings(2, null, 'members') }],
    ['0000000000009;2/tea', { ...headAt(9), ...settings(2, 'tea', 'members') }],
    [
      '0000000000009^0000000000000;12s/s|o',
      { ...headAt(9), loud: AT_START.loud, ...settings(12, 's|o', 'sender') },
    ],
  ])('%s', (text, head) => {
    expect(encodeHead(head)).toBe(text);
    expect(decodeHead(text)).toEqual(head);
  });

  test('converts back to the same head', () => {
    fc.assert(fc.property(headCopy, (head) => expect(decodeHead(encodeHead(head))).toEqual(head)));
  });

  test.each([
    '',
    'x',
    '3w5e11264sgsg',
    '000000000!0000000000009',
    '00000000z!',
    '0000000z!0000000000009',
    '00000000Z!0000000000009',
    '00000000z!00000000z!0000000000009',
    '0000000000009^',
    '0000000000009^5',
    '0000000000009^0000000000009',
    '0000000000005^0000000000009',
    '0000000000009^000000000000A',
    '0000000000009;',
    '0000000000009;0',
    '0000000000009;01',
    '0000000000009;-1',
    '0000000000009;1000000000000000',
    '0000000000009;1x',
    '0000000000009;1so',
    '0000000000009;1/',
    '0000000000009;1/a;b',
    '0000000000009;1s/..',
    '0000000000009;1^0000000000005',
    'e0000000000009',
  ])('%j is refused', (text) => {
    expect(() => decodeHead(text)).toThrow('not a ');
  });
});
