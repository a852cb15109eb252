import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Change } from '../../../shared/cache/changes.ts';
import type { GroupCache } from '../../../shared/cache/group-cache.ts';
import { decodeMembership } from '../../../shared/cache/membership-text.ts';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import { unavailable } from '../../../shared/domain/errors.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { advance, joinAt } from '../../../shared/domain/membership.ts';
import { type Position, START } from '../../../shared/domain/position.ts';
import type { Item } from '../../../shared/ledger/items.ts';
import type { Ledger } from '../../../shared/ledger/ledger.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import type { StreamRecord } from '../../../shared/stream/stream-records.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { AT_START } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import {
  breakMembership,
  brokenMembership,
  expire,
  hiddenMoves,
  KeptLetters,
  leave,
  membership,
  move,
  recordOf,
  T,
  unknownKind,
} from '../../support/stream-records.ts';

/** A change of a member as an object; any other change as it is. */
function readable(change: Change) {
  const [kind = '', userId, text] = change;
  if (!/^(member|knownMember|joined|laggard)$/.test(kind)) return change;
  return { kind, userId, ...(text && { state: decodeMembership(text) }) };
}

/** Records what it receives; a test decides what fails. */
class Outside {
  readonly merged: [string, unknown[]][] = [];
  readonly published: TidemarkEvent[] = [];
  failingGroups = new Set<string>();
  isBusDown = false;

  /** The cache's reply about how far everyone in a group has read: by default a member has read nothing. */
  readonly fullyRead = new Map<string, Position | null>();
  /** The members in the ledger's list, with their public watermarks. */
  readonly members = new Map<string, Position>();
  recent: string[] = [];
  /** A member whom the ledger’s list lacks. */
  unlisted = '';
  pagesRead = 0;
  claims = 0;
  isLedgerDown = false;
  /** When the group was last deleted. */
  epoch = 0;
  /** Members whose items in the ledger are broken: it leaves them out. */
  readonly broken = new Set<string>();
  readonly letters = new KeptLetters();

  /** Members whom the cache’s index lacks. */
  unknownMembers: string[] = [];

  readonly cache = {
    merge: async (groupId: string, changes: Change[]) => {
      if (this.failingGroups.has(groupId)) return false;
      this.merged.push([groupId, changes.map(readable)]);
      return true;
    },
    mergeFromStream: async (groupId: string, changes: Change[]) => {
      if (this.failingGroups.has(groupId)) return null;
      this.merged.push([groupId, changes.map(readable)]);
      const fullyRead = this.fullyRead.get(groupId);
      return {
        fullyReadPosition: fullyRead === undefined ? START : fullyRead,
        unknownMembers: this.unknownMembers,
        recent: this.recent,
      };
    },
    receipts: {
      claim: async () => {
        this.claims += 1;
        return { outcome: 'loading' };
      },
    },
  } as unknown as GroupCache;

  readonly ledger = {
    heads: { read: async () => ({ ...AT_START, epoch: this.epoch }) },
    memberships: {
      readMany: async (_groupId: string, userIds: readonly string[]) => {
        if (this.isLedgerDown) throw unavailable(new Error('down'));
        return new Map(
          userIds
            .filter((userId) => !this.broken.has(userId))
            .map((userId) => {
              const position = this.members.get(userId);
              return [
                userId,
                position ? advance(joinAt(START, T), position, T) : { kind: 'departed', generation: T },
              ];
            }),
        );
      },
      everyone: async function* (this: void, _groupId: string, pageSize: number) {
        if (outside.isLedgerDown) throw unavailable(new Error('down'));
        for (const [index, [userId, position]] of [...outside.members].entries()) {
          if (index % pageSize === 0) outside.pagesRead += 1;
          if (userId === outside.unlisted || outside.broken.has(userId)) continue;
          yield { userId, membership: advance(joinAt(START, T), position, T) };
        }
      },
    },
  } as unknown as Ledger;

  readonly publisher = {
    publish: async (events: readonly TidemarkEvent[]) => {
      if (this.isBusDown) return events;
      this.published.push(...events);
      return [];
    },
  };
}

let outside: Outside;
let run: (records: readonly StreamRecord[]) => Promise<string[]>;
beforeEach(() => {
  outside = new Outside();
  const { cache, ledger, publisher, letters } = outside;
  const published = new RecentRecords(100);
  const tidemark = { cache, ledger, nowMs: () => T, mode: 'strict' } as const;
  const deadLetters = new DeadLetters(letters);
  run = (records) => project({ tidemark, publisher, deadLetters, published, erasures: NO_ERASURES }, records);
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
  jest.spyOn(console, 'info').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** The published events: for `GroupFullyRead` the group and position, for others the type. */
const fullyRead = () =>
  outside.published.map((event) =>
    event.type === 'GroupFullyRead' ? [event.groupId, event.upTo] : [event.type],
  );

describe('the projector', () => {
  test('merges a batch with one call for each group', async () => {
    await run([move('a', 0, 5), move('b', 0, 3, 'h' as GroupId), move('a', 5, 9)]);
    expect(outside.merged.map(([groupId, changes]) => [groupId, changes.length])).toEqual([
      ['g', 2],
      ['h', 1],
    ]);
  });

  test('reports only the records that the cache did not merge as failed', async () => {
    outside.failingGroups.add('g');
    outside.members.set('a', at(2));
    const [first, second] = [move('a', 0, 5), move('b', 0, 3, 'h' as GroupId)];
    expect(await run([first, second])).toEqual([first.sequenceNumber]);
    outside.failingGroups.clear();
    expect(await run([first, second])).toEqual([]);
  });

  test('merges members whom the cache’s index lacks, as the ledger holds them now', async () => {
    outside.unknownMembers = ['a', 'gone'];
    outside.members.set('a', at(20));
    expect(await run([move('a', 0, 5), move('gone', 0, 5)])).toEqual([]);
    expect(outside.merged.at(-1)).toMatchObject([
      'g',
      [
        { kind: 'member', userId: 'a', state: { public: { position: at(20) } } },
        { kind: 'member', userId: 'gone', state: { kind: 'departed' } },
      ],
    ]);
  });

  test('reports the records of members that it cannot merge as failed', async () => {
    outside.unknownMembers = ['a'];
    outside.isLedgerDown = true;
    const record = move('a', 0, 5);
    expect(await run([record])).toEqual([record.sequenceNumber]);
  });

  test('merges all heads of a group in a batch as one change', async () => {
    const head = (values: Item): Item => ({ kind: { S: 'head' }, groupId: { S: 'g' }, ...values });
    const settings: Item = { settings: { N: '1' }, receipts: { S: 'off' } };
    await run([
      recordOf(null, head({ position: { S: at(7) } })),
      recordOf(null, head({ position: { S: at(9) }, loud: { S: at(8) } })),
      recordOf(null, head({ position: { S: at(7) }, ...settings })),
    ]);
    expect(outside.merged).toEqual([['g', [['knownHead', '0000000000009^0000000000008;1o']]]]);
  });

  test('merges no head that the ledger has removed, so that the cache loses it too', async () => {
    const epoch = { N: '1700000000000' };
    const item: Item = { kind: { S: 'head' }, groupId: { S: 'g' }, position: { S: START }, epoch };
    await run([recordOf(item, null)]);
    expect(outside.merged).toEqual([['g', [['expiredHead', '0loyw3v28!0000000000000']]]]);
  });

  test('treats an expired message as deleted, and forgets an expired departure', async () => {
    const message: Item = {
      kind: { S: 'message' },
      groupId: { S: 'g' },
      position: { S: at(7) },
      senderId: { S: 'a' },
      recordedAt: { N: '35' },
    };
    await run([recordOf(message, null), expire('a')]);
    expect(outside.merged).toEqual([
      [
        'g',
        [
          ['deleted', '0000000000007', '00000000z'],
          ['forgotten', 'a', '0loyw3v28-'],
        ],
      ],
    ]);
  });
});

describe('an item that the projector cannot read', () => {
  test('is skipped if its kind is unknown, and counted in one log line for the batch', async () => {
    const records = [
      move('a', 0, 5),
      unknownKind('connection'),
      unknownKind(null),
      unknownKind('connection'),
      move('b', 0, 3),
    ];
    expect(await run(records)).toEqual([]);
    expect(outside.merged.map(([, changes]) => changes.length)).toEqual([2]);
    expect(outside.letters.messages).toEqual([]);
    expect(console.error).not.toHaveBeenCalled();
    expect(jest.mocked(console.info).mock.calls).toEqual([
      [
        {
          message: 'items of unknown kinds were passed over',
          count: 3,
          kinds: [
            { kind: 'connection', count: 2 },
            { kind: '', count: 1 },
          ],
        },
      ],
    ]);
  });

  test('adds to a short log line, however many kinds there are', async () => {
    await run(Array.from({ length: 100 }, (_, index) => unknownKind(`${index}`.padEnd(100_000, 'x'))));
    expect(JSON.stringify(jest.mocked(console.info).mock.calls).length).toBeLessThan(2_000);
  });

  test('goes to the dead-letter queue once if it is broken, while the others are merged', async () => {
    outside.fullyRead.set('g', at(5));
    const broken = breakMembership('c');
    const records = [move('a', 2, 5), broken, move('b', 0, 3)];
    expect(await run(records)).toEqual([]);
    expect(outside.merged.map(([, changes]) => changes.length)).toEqual([2]);
    expect(fullyRead()).toEqual([['g', '5']]);
    expect(outside.letters.letters).toMatchObject([
      { reason: 'an item of the ledger has no valid public: USER#c GROUP#g' },
    ]);
    expect(await run(records)).toEqual([]);
    expect(outside.letters.messages).toHaveLength(1);
  });

  test('fails if the dead-letter queue does not accept it, and no other fails', async () => {
    outside.fullyRead.set('g', at(5));
    outside.letters.isDown = true;
    const broken = breakMembership('c');
    const records = [move('a', 2, 5), broken, move('b', 0, 3)];
    expect(await run(records)).toEqual([broken.sequenceNumber]);
    expect(fullyRead()).toEqual([['g', '5']]);
    outside.letters.isDown = false;
    expect(await run(records)).toEqual([]);
    expect(outside.letters.messages).toHaveLength(1);
  });

  test('counts as unknown if only the old image is broken: the new image is merged', async () => {
    expect(await run([recordOf(brokenMembership('a'), membership('a', 9))])).toEqual([]);
    expect(outside.merged).toMatchObject([
      [
        'g',
        [{ kind: 'knownMember', userId: 'a', state: { public: { position: at(9) } } }, { kind: 'joined' }],
      ],
    ]);
    expect(outside.letters.messages).toEqual([]);
    expect(console.error).toHaveBeenCalledTimes(1);
  });

  test('is left out of the members that are merged into the cache’s index', async () => {
    outside.unknownMembers = ['a', 'c'];
    outside.members.set('a', at(20));
    outside.broken.add('c');
    expect(await run([move('a', 0, 5), move('c', 0, 5)])).toEqual([]);
    expect(outside.merged.at(-1)).toMatchObject(['g', [{ kind: 'member', userId: 'a' }]]);
  });

  test('does not stop the events about how far everyone has read', async () => {
    outside.fullyRead.set('g', null);
    outside.fullyRead.set('h', at(5));
    outside.members.set('a', at(5)).set('c', at(2));
    outside.broken.add('c');
    expect(await run([move('a', 2, 5), move('b', 2, 5, 'h' as GroupId)])).toEqual([]);
    expect(fullyRead().toSorted()).toEqual([
      ['g', '5'],
      ['h', '5'],
    ]);
  });
});

describe('how far everyone has read', () => {
  test('is published if the cache knows that nobody is behind any more', async () => {
    outside.fullyRead.set('g', at(5));
    await run([move('a', 2, 5)]);
    expect(fullyRead()).toEqual([['g', '5']]);
    expect(outside.pagesRead).toBe(0);
  });

  test('is neither published nor searched for while the cache knows a member who is behind', async () => {
    outside.fullyRead.set('g', at(2));
    await run([move('a', 2, 5)]);
    expect(fullyRead()).toEqual([]);
    expect(outside.pagesRead).toBe(0);
  });

  test('is searched for in the ledger if the cache does not know, up to the first member who is behind', async () => {
    outside.fullyRead.set('g', null);
    for (let index = 100; index < 500; index += 1)
      outside.members.set(`u${index}`, at(index === 150 ? 2 : 9));
    await run([move('a', 2, 5)]);
    expect(fullyRead()).toEqual([]);
    expect(outside.pagesRead).toBe(1);
    expect(outside.merged.at(-1)).toMatchObject([
      'g',
      [{ kind: 'member', userId: 'u150' }, { kind: 'laggard' }],
    ]);
  });

  test('is the lowest watermark in the ledger if nobody is behind', async () => {
    outside.fullyRead.set('g', null);
    for (let index = 100; index < 350; index += 1)
      outside.members.set(`u${index}`, at(index === 349 ? 4 : 9));
    await run([move('a', 2, 5)]);
    expect(fullyRead()).toEqual([['g', '4']]);
    expect(outside.pagesRead).toBe(1);
  });

  test('rises when the last member who was behind leaves', async () => {
    outside.fullyRead.set('g', at(8));
    await run([leave('a', 2)]);
    expect(fullyRead()).toEqual([['g', '8']]);
  });

  test('does not change by a private read, a mark unread or a delivery', async () => {
    outside.fullyRead.set('g', at(9));
    for (const record of hiddenMoves('a')) await run([record]);
    expect(fullyRead()).toEqual([]);
  });

  test('is searched for first among members who joined a moment ago, whom the list may lack', async () => {
    outside.fullyRead.set('g', null);
    outside.members.set('listed', at(9));
    outside.members.set('new', at(2));
    outside.recent = ['new'];
    outside.unlisted = 'new';
    await run([move('a', 2, 5)]);
    expect(fullyRead()).toEqual([]);
  });

  test('is read from the index if very many members are past the position', async () => {
    outside.fullyRead.set('g', null);
    for (let index = 10_000; index < 16_000; index += 1) outside.members.set(`u${index}`, at(9));
    const record = move('a', 2, 5);
    expect(await run([record])).toEqual([record.sequenceNumber]);
    expect([outside.claims, outside.pagesRead]).toEqual([1, 10]);
    outside.fullyRead.set('g', at(9));
    expect(await run([record])).toEqual([]);
    expect(fullyRead()).toEqual([['g', '9']]);
  });

  test('is published later, and once, if the ledger or the bus does not answer', async () => {
    outside.fullyRead.set('g', null);
    outside.members.set('a', at(5));
    const record = move('a', 2, 5);
    outside.isLedgerDown = true;
    expect(await run([record])).toEqual([record.sequenceNumber]);
    outside.isLedgerDown = false;
    outside.isBusDown = true;
    expect(await run([record])).toEqual([record.sequenceNumber]);
    outside.isBusDown = false;
    expect(await run([record])).toEqual([]);
    expect(await run([record])).toEqual([]);
    expect(fullyRead()).toEqual([['g', '5']]);
  });
});

describe('how far everyone has read in a deleted group', () => {
  test('is not asked of members from before', async () => {
    outside.fullyRead.set('g', null);
    outside.members.set('a', at(5)).set('b', at(4));
    outside.epoch = T;
    expect(await run([move('a', 3, 5)])).toEqual([]);
    expect(fullyRead()).toEqual([]);
  });
});
