import { describe, expect, test } from '@jest/globals';
import {
  type Item,
  interpretItem,
  messageDetails,
  messageOf,
  readItem,
  UnreadableItem,
} from '../../../shared/ledger/items.ts';
import { at } from '../../support/positions.ts';
import { membership } from '../../support/stream-records.ts';

const keyed = (item: Item): Item => ({ PK: { S: 'p' }, SK: { S: 's' }, ...item });
const sound = keyed(membership('a', 5));
const preferring = { ...sound, preferencesRevision: { N: '1' }, preferencesAt: { N: '1' } };
const message: Item = keyed({
  kind: { S: 'message' },
  groupId: { S: 'g' },
  position: { S: at(7) },
  senderId: { S: 'a' },
});
const head: Item = keyed({ kind: { S: 'head' }, groupId: { S: 'g' }, position: { S: at(7) } });
const departed: Item = keyed({
  kind: { S: 'membership' },
  groupId: { S: 'g' },
  formerUserId: { S: 'a' },
  generation: { N: '1' },
});

const without = (item: Item, name: string): Item =>
  Object.fromEntries(Object.entries(item).filter(([other]) => other !== name));

describe('an item of the ledger', () => {
  test.each([
    ['membership', sound],
    ['membership', departed],
    ['membership', { ...preferring, notify: { S: 'none' }, hidden: { BOOL: true } }],
    ['message', message],
    ['message', without({ ...message, deletedAt: { N: '1' } }, 'senderId')],
    ['head', head],
  ])('of kind %s is a fact', (kind, item) => {
    expect(interpretItem(item)).toMatchObject({ outcome: 'stored', stored: { kind, groupId: 'g' } });
  });

  test('of kind head has defaults for the attributes that it lacks', () => {
    expect(readItem(head)).toEqual({
      kind: 'head',
      groupId: 'g',
      head: {
        epoch: 0,
        position: at(7),
        loud: at(7),
        settings: { revision: 0, parentId: null, receipts: 'members' },
      },
    });
    const whole = {
      ...head,
      ...{ loud: { S: at(5) }, settings: { N: '3' }, parentId: { S: 'p' }, receipts: { S: 'sender' } },
    };
    expect(readItem(whole)).toMatchObject({
      head: { position: at(7), loud: at(5), settings: { revision: 3, parentId: 'p', receipts: 'sender' } },
    });
  });

  test.each([
    ['connection', { ...sound, kind: { S: 'connection' } }],
    ['Membership', { ...sound, kind: { S: 'Membership' } }],
    ['toString', { ...sound, kind: { S: 'toString' } }],
    [null, without(sound, 'kind')],
    [null, { ...sound, kind: { N: '1' } }],
    [null, {}],
  ] as [string | null, Item][])('of kind %p is unknown', (kind, item) => {
    expect(interpretItem(item)).toEqual({ outcome: 'unknown', kind });
    expect(() => readItem(item)).toThrow(UnreadableItem);
  });

  test.each([
    ['groupId', without(sound, 'groupId')],
    ['groupId', { ...sound, groupId: { S: 'a b' } }],
    ['groupId', { ...sound, groupId: { N: '1' } }],
    ['userId', { ...sound, userId: { S: 'a#b' } }],
    ['userId', { ...sound, userId: { N: '1' } }],
    ['formerUserId', without(sound, 'userId')],
    ['formerUserId', { ...departed, formerUserId: { S: '' } }],
    ['preferencesAt', { ...sound, hidden: { BOOL: true } }],
    ['preferencesAt', { ...sound, preferencesRevision: { N: '1' } }],
    ['preferencesRevision', { ...preferring, preferencesRevision: { N: '-1' } }],
    ['notify', { ...preferring, notify: { S: 'some' } }],
    ['archive', { ...preferring, archive: { BOOL: true } }],
    ['archivedAt', { ...preferring, archivedAt: { S: '7' } }],
    ['mutedUntil', { ...preferring, mutedUntil: { N: '253402300800000' } }],
    ['generation', without(sound, 'generation')],
    ['generation', { ...sound, generation: { S: '1' } }],
    ['generation', { ...sound, generation: { N: '-1' } }],
    ['generation', { ...departed, generation: { N: '1.5' } }],
    ['generation', { ...sound, generation: { N: '1E+100' } }],
    ['joinedAfter', without(sound, 'joinedAfter')],
    ['self', without(sound, 'self')],
    ['self', { ...sound, self: { S: at(5) } }],
    ['self', { ...sound, self: { S: `00000000x1:${at(5)}` } }],
    ['self', { ...sound, self: { S: `0000000001-${at(5)}` } }],
    ['self', { ...sound, self: { S: '0000000001:5' } }],
    ['public', without(sound, 'public')],
    ['public', { ...sound, public: { S: '5' } }],
    ['public', { ...sound, public: { S: '99999999999999999999' } }],
    ['public', { ...sound, public: { N: '5' } }],
    ['delivered', { ...sound, delivered: { NULL: true } }],
    ['publicAt', { ...sound, publicAt: { S: 'yesterday' } }],
    ['deliveredAt', { ...sound, deliveredAt: { N: '101559956668416' } }],
    ['position', without(message, 'position')],
    ['position', { ...head, position: { S: 'x'.repeat(100_000) } }],
    ['position', without(head, 'position')],
    ['loud', { ...head, loud: { S: '5' } }],
    ['loud', { ...head, loud: { S: at(8) } }],
    ['parentId', { ...head, settings: { N: '1' }, parentId: { S: 'a b' } }],
    ['parentId', { ...head, settings: { N: '1' }, parentId: { N: '1' } }],
    ['receipts', { ...head, settings: { N: '1' }, receipts: { S: 'some' } }],
    ['settings', { ...head, settings: { S: '1' } }],
    ['settings', { ...head, receipts: { S: 'off' } }],
    ['settings', { ...head, parentId: { S: 'tea' } }],
    ['senderId', without(message, 'senderId')],
    ['senderId', { ...message, senderId: { S: 'a#b' } }],
    ['senderId', { ...message, senderId: { N: '1' } }],
    ['epoch', { ...head, epoch: { S: '1' } }],
    ['epoch', { ...head, epoch: { N: '101559956668416' } }],
    ['recordedAt', { ...message, recordedAt: { N: '-1' } }],
    ['mentions', { ...message, mentions: { S: 'some' } }],
    ['mentions', { ...message, mentions: { L: [{ S: 'a' }] } }],
    ['mentions', { ...message, mentions: { SS: ['a', 'a#b'] } }],
  ] as [string, Item][])('without a valid %s is broken', (name, item) => {
    const reason = `an item of the ledger has no valid ${name}: p s`;
    expect(interpretItem(item)).toEqual({ outcome: 'broken', reason });
    expect(() => readItem(item)).toThrow(new UnreadableItem(reason));
  });
});

describe('a message', () => {
  const plain = {
    position: at(7),
    senderId: 'a',
    deleted: false,
    recordedAt: 0,
    isSilent: false,
    mentions: [],
  };

  test.each<[string, Item, object]>([
    ['of a version before silent messages and mentions', {}, {}],
    [
      'that was recorded at a known time',
      { recordedAt: { N: '1700000000000' } },
      { recordedAt: 1_700_000_000_000 },
    ],
    ['that is silent', { silent: { BOOL: true } }, { isSilent: true }],
    ['that mentions everybody', { mentions: { S: 'all' } }, { mentions: 'all' }],
    ['that mentions two', { mentions: { SS: ['b', 'all'] } }, { mentions: ['b', 'all'] }],
  ])('%s is read', (_, attributes, expected) => {
    expect(messageOf({ ...message, ...attributes })).toEqual({ ...plain, ...expected });
  });

  test('has no attributes for what is as usual', () => {
    expect(messageDetails({ isSilent: false, mentions: [] })).toEqual({});
  });
});
