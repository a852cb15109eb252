import fc from 'fast-check';
import type { Head } from '../../shared/domain/head.ts';
import type { GroupId } from '../../shared/domain/ids.ts';
import { earlierOf, laterOf, type Position, START } from '../../shared/domain/position.ts';
import { at } from './positions.ts';

const UNSET: Head['settings'] = { revision: 0, parentId: null, receipts: 'members' };

/** The head of a group without settings, whose newest message is not silent. */
export function headAt(messageId: number | string): Head {
  return { epoch: 0, position: at(messageId), loud: at(messageId), settings: UNSET };
}

/** The head of a group in which no message is recorded. */
export const AT_START: Head = { epoch: 0, position: START, loud: START, settings: UNSET };

/** Few positions, so that copies meet, among them some that are equal as doubles. */
const position = fc
  .constantFrom(0n, 1n, 2n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n)
  .map((id) => String(id).padStart(20, '0') as Position);

/** Few epochs: a group that was never deleted, and times of nine digits in base 36 and of fewer. */
const epoch = fc.constantFrom(0, 0, 1, 35, 36, 1_700_000_000_000, 1_700_000_000_001, 36 ** 9 - 1);

/** The settings by revision: two copies of one revision are equal. */
const SETTINGS: readonly Head['settings'][] = [
  UNSET,
  { revision: 1, parentId: null, receipts: 'sender' },
  { revision: 2, parentId: 'a|b' as GroupId, receipts: 'off' },
  { revision: 9, parentId: '~$*' as GroupId, receipts: 'members' },
  { revision: 10, parentId: 's' as GroupId, receipts: 'sender' },
  { revision: 999_999_999_999_999, parentId: 'x'.repeat(128) as GroupId, receipts: 'off' },
];

/** Copies of one head as two stores, late retries and reordered streams may hold them. */
export const headCopy: fc.Arbitrary<Head> = fc
  .tuple(epoch, position, position, fc.constantFrom(...SETTINGS))
  .map(([time, a, b, settings]) => ({
    epoch: time,
    position: laterOf(a, b),
    loud: earlierOf(a, b),
    settings,
  }));
