import { describe, expect, test } from '@jest/globals';
import { isArchived, isMuted, NO_PREFERENCES } from '../../../shared/domain/preferences.ts';
import { at } from '../../support/positions.ts';

describe('a group is muted', () => {
  const isMutedAt = (nowMs: number, change: Partial<typeof NO_PREFERENCES>) =>
    isMuted({ ...NO_PREFERENCES, ...change }, nowMs);

  test('until the time, and not from then on', () => {
    expect(isMutedAt(999, { mutedUntil: 1_000 })).toBe(true);
    expect(isMutedAt(1_000, { mutedUntil: 1_000 })).toBe(false);
    expect(isMutedAt(1_001, { mutedUntil: 1_000 })).toBe(false);
    expect(isMutedAt(0, {})).toBe(false);
  });

  test('with notify none, whatever the time', () => {
    expect(isMutedAt(1_001, { notify: 'none', mutedUntil: 1_000 })).toBe(true);
    expect(isMutedAt(0, { notify: 'none' })).toBe(true);
    expect(isMutedAt(0, { notify: 'mentions' })).toBe(false);
    expect(isMutedAt(999, { notify: 'mentions', mutedUntil: 1_000 })).toBe(true);
  });

  test('not by archiving or by hidden receipts', () => {
    expect(isMutedAt(0, { archive: 'always', hideReceipts: true })).toBe(false);
  });
});

test('a group counts as archived always, or until a message comes that is not silent', () => {
  const isArchivedAt = (loud: number, change: Partial<typeof NO_PREFERENCES>) =>
    isArchived({ ...NO_PREFERENCES, ...change }, at(loud));
  expect(isArchivedAt(5, { archive: 'untilNew', archivedAt: at(5) })).toBe(true);
  expect(isArchivedAt(6, { archive: 'untilNew', archivedAt: at(5) })).toBe(false);
  expect(isArchivedAt(6, { archive: 'always' })).toBe(true);
  expect(isArchivedAt(6, { archive: 'no', archivedAt: at(9) })).toBe(false);
});
