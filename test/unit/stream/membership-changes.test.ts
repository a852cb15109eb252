import { describe, expect, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { advance, deliver, joinAt, type Membership, retreat } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { NO_PREFERENCES } from '../../../shared/domain/preferences.ts';
import { eventsOf } from '../../../shared/stream/membership-changes.ts';
import { at } from '../../support/positions.ts';

const T = 1_700_000_000_000;
const TIME = '2023-11-14T22:13:20.000Z';
const PRIVATE = { isPrivate: true, ifRevision: null };

const eventsOfMove = (before: Membership, after: Membership) =>
  eventsOf({ groupId: 'g' as GroupId, userId: 'u' as UserId, before, after }).map((event) => {
    if (!('membership' in event)) throw new Error('no move of one member says that');
    const { groupId: _, membership, ...rest } = event;
    expect(membership).toBe(T);
    return rest;
  });

const joined = joinAt(START, T);
const read5 = advance(joined, at(5), T);

describe('the events of a member who', () => {
  test('reads: one, from the public watermark before', () => {
    expect(eventsOfMove(joined, read5)).toEqual([
      { type: 'WatermarkAdvanced', userId: 'u', from: null, to: '5', readAt: TIME, ownRevision: 0 },
    ]);
  });

  test('reads privately: one about the own view', () => {
    expect(eventsOfMove(read5, advance(read5, at(7), T, PRIVATE))).toEqual([
      { type: 'OwnWatermarkMoved', userId: 'u', messageId: '7', revision: 0, readAt: TIME },
    ]);
  });

  test('marks everything unread: one about the own view, which is at the start', () => {
    expect(eventsOfMove(read5, retreat(read5, at(1), T))).toEqual([
      { type: 'OwnWatermarkMoved', userId: 'u', messageId: null, revision: 1, readAt: TIME },
    ]);
  });

  test('reads in public what it had read privately: one, as for any read', () => {
    const secretly = advance(read5, at(9), T, PRIVATE);
    expect(eventsOfMove(secretly, advance(secretly, at(8), T))).toEqual([
      { type: 'WatermarkAdvanced', userId: 'u', from: '5', to: '8', readAt: TIME, ownRevision: null },
    ]);
  });

  test('marks with an old revision: one about the public watermark, and the own view stays', () => {
    const unread = retreat(read5, at(2), T);
    const late = advance(unread, at(6), T, { isPrivate: false, ifRevision: 0 });
    expect(eventsOfMove(unread, late)).toEqual([
      { type: 'WatermarkAdvanced', userId: 'u', from: '5', to: '6', readAt: TIME, ownRevision: null },
    ]);
  });

  test('received messages that it has not read: one', () => {
    expect(eventsOfMove(read5, deliver(read5, at(7), T))).toEqual([
      { type: 'DeliveryAdvanced', userId: 'u', from: '5', to: '7', at: TIME },
    ]);
  });

  test('reads up to what was delivered: only one about the read', () => {
    const delivered = deliver(read5, at(7), T);
    expect(eventsOfMove(delivered, advance(delivered, at(7), T)).map(({ type }) => type)).toEqual([
      'WatermarkAdvanced',
    ]);
    expect(eventsOfMove(delivered, advance(delivered, at(6), T)).map(({ type }) => type)).toEqual([
      'WatermarkAdvanced',
    ]);
  });

  test('changes its preferences: one with all of them', () => {
    const preferences = {
      revision: 2,
      at: T + 1,
      notify: 'mentions',
      mutedUntil: 253_402_300_799_999,
      hideReceipts: true,
      archive: 'untilNew',
      archivedAt: at(5),
    } as const;
    expect(eventsOfMove(read5, { ...read5, preferences })).toEqual([
      {
        type: 'PreferencesChanged',
        userId: 'u',
        notify: 'mentions',
        mutedUntil: '9999-12-31T23:59:59.999Z',
        hideReceipts: true,
        archive: 'untilNew',
        revision: 2,
      },
    ]);
    expect(eventsOfMove({ ...read5, preferences }, { ...read5, preferences })).toEqual([]);
  });

  test('reads with hidden receipts: one about the own view, and none more when they are shown again', () => {
    const preferences = { ...NO_PREFERENCES, revision: 1, at: T, hideReceipts: true };
    const hidden = { ...read5, preferences };
    const read7 = advance(hidden, at(7), T);
    expect(eventsOfMove(hidden, read7)).toEqual([
      { type: 'OwnWatermarkMoved', userId: 'u', messageId: '7', revision: 0, readAt: TIME },
    ]);
    const shown = { ...read7, preferences: { ...NO_PREFERENCES, revision: 2, at: T } };
    expect(eventsOfMove(read7, shown).map(({ type }) => type)).toEqual(['PreferencesChanged']);
    expect(eventsOfMove(shown, advance(shown, at(7), T))).toEqual([
      { type: 'WatermarkAdvanced', userId: 'u', from: '5', to: '7', readAt: TIME, ownRevision: null },
    ]);
  });

  test('has changed its preferences in a later membership: their revision is above all earlier ones', () => {
    const later = joinAt(START, T, 9_000);
    const preferences = { ...NO_PREFERENCES, revision: 1, at: T };
    expect(eventsOfMove(later, { ...later, preferences })).toMatchObject([{ revision: 9_001 }]);
  });

  test('does all of it in several writes that are published together', () => {
    const all = deliver(retreat(advance(read5, at(7), T), at(3), T), at(9), T);
    expect(eventsOfMove(read5, all)).toEqual([
      { type: 'WatermarkAdvanced', userId: 'u', from: '5', to: '7', readAt: TIME, ownRevision: null },
      { type: 'OwnWatermarkMoved', userId: 'u', messageId: '2', revision: 1, readAt: TIME },
      { type: 'DeliveryAdvanced', userId: 'u', from: '5', to: '9', at: TIME },
    ]);
  });

  test('marks unread and reads again: one with the new revision for the own devices', () => {
    const again = advance(retreat(read5, at(3), T), at(8), T);
    expect(eventsOfMove(read5, again).map(({ type }) => type)).toEqual([
      'WatermarkAdvanced',
      'OwnWatermarkMoved',
    ]);
  });

  test('does nothing new: none', () => {
    expect(eventsOfMove(read5, advance(read5, at(5), T + 1))).toEqual([]);
  });
});
