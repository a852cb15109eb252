import { expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import { SCRIPTS } from '../../../shared/cache/scripts.ts';
import type { UserId } from '../../../shared/domain/ids.ts';
import { joinAt } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { AT_START } from '../../support/heads.ts';

const user = 'u' as UserId;
const state = joinAt(START, 1_700_000_000_000);
const mark = { userId: user, position: START, generation: 1, revision: 0, kind: 'read' } as const;

const CHANGES: readonly change.Change[] = [
  change.member(user, state),
  change.knownMember(user, state),
  change.forgotten(user, { kind: 'departed', generation: 1_700_000_000_000 }),
  change.joined(user),
  change.doubt(user, 'token'),
  change.settled(user, 'token'),
  change.early(mark),
  change.due(100),
  change.head(AT_START),
  change.knownHead(AT_START),
  change.expiredHead(AT_START),
  change.message({
    position: START,
    senderId: user,
    deleted: false,
    recordedAt: 1,
    isSilent: false,
    mentions: [],
  }),
  change.message({
    position: START,
    senderId: user,
    deleted: false,
    recordedAt: 1,
    isSilent: true,
    mentions: [],
  }),
  change.deleted({ position: START, recordedAt: 1 }),
  change.load('token'),
  change.loaded('token', START),
  change.index('token', 1, user),
  change.indexed('token'),
  change.laggard(user),
];

test('the script merges each kind of change, and reads as many values as the change has', () => {
  const inScript = [...SCRIPTS.mergeGroup.matchAll(/^merges\.(\w+) = \{ (\d),/gm)];
  expect(Object.fromEntries(inScript.map(([, kind, count]) => [kind, Number(count)]))).toEqual(
    Object.fromEntries(CHANGES.map(([kind, ...values]) => [kind, values.length])),
  );
});

test('a message without a sender is deleted: only its deletion is known', () => {
  expect(
    change.message({
      position: START,
      senderId: null,
      deleted: true,
      recordedAt: 1,
      isSilent: false,
      mentions: [],
    }),
  ).toEqual(['deleted', '0000000000000', '000000001']);
});

test.each([
  ['nobody', [], ''],
  ['two users', ['a|b', 'all'] as UserId[], 'a|b,all'],
  ['everybody', 'all', '#all'],
] as const)('a message that mentions %s', (_, mentions, text) => {
  const sent = { position: START, senderId: user, deleted: false, recordedAt: 1, isSilent: false };
  expect(change.message({ ...sent, mentions })).toEqual(['sent', '0000000000000', 'u', '000000001', text]);
});
