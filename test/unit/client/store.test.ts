import { afterEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createStore, type View } from '../../../client/src/store.ts';

const unread = (count: number, firstId: string | null, exact = true) => ({
  count,
  mentions: Math.min(count, 1),
  firstId,
  exact,
});

const view = (messageId: string | null, fields: Partial<View> = {}): View => ({
  groupId: 'tea',
  messageId,
  revision: 0,
  head: '10',
  unread: unread(3, '8'),
  ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
  preferencesRevision: 0,
  ...fields,
});

function createOwnStore() {
  let [changes, asked] = [0, 0];
  const store = createStore(
    'ann',
    () => {
      changes += 1;
    },
    () => {
      asked += 1;
    },
  );
  return {
    ...store,
    changes: () => changes,
    /** How often it was requested to ask for views. */
    asked: () => asked,
    unread: () => store.getSnapshot().views.get('tea')?.unread,
    badge: () => store.getSnapshot().badge,
  };
}

describe('views', () => {
  test.each([
    ['a larger revision, though it stands lower', view('5', { revision: 1 }), 1, '5'],
    ['a larger position, though it was read before', view('9'), 1, '9'],
    ['a later time, where all else is the same', view('7', { unread: unread(0, null) }), 3, '7'],
  ])('are replaced by one with %s', (_name, later, asOf, expected) => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 2);
    store.mergeViews([later], asOf);
    expect(store.getSnapshot().views.get('tea')).toEqual({ ...later, messageId: expected });
  });

  test.each([
    ['a smaller revision', view('9', { revision: 0 })],
    ['a smaller position', view('6', { revision: 1 })],
    ['nothing read', view(null, { revision: 1 })],
    ['an earlier time', view('7', { revision: 1, unread: unread(0, null) })],
  ])('stay where one with %s comes late', (_name, earlier) => {
    const store = createOwnStore();
    store.mergeViews([view('7', { revision: 1 })], 5);
    store.mergeViews([earlier], 4);
    expect(store.getSnapshot().views.get('tea')).toEqual(view('7', { revision: 1 }));
  });

  test('are compared in all 64 bits', () => {
    const store = createOwnStore();
    store.mergeViews([view('9007199254740993')], 1);
    store.mergeViews([view('9007199254740992')], 2);
    expect(store.getSnapshot().views.get('tea')?.messageId).toBe('9007199254740993');
    store.mergeViews([view('18446744073709551614')], 1);
    store.mergeViews([view('9999999999999999999')], 2);
    expect(store.getSnapshot().views.get('tea')?.messageId).toBe('18446744073709551614');
  });

  test('of an answer count as later than every frame before the request, and as earlier than every frame after it', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 100);
    const first = store.stamp();
    const second = store.stamp();
    store.mergeViews([view('7', { unread: unread(2, '8') })], first);
    expect(store.unread()).toEqual(unread(2, '8'));
    store.mergeViews([view('7', { unread: unread(1, '8') })], 101);
    store.mergeViews([view('7', { unread: unread(9, '8') })], second);
    expect(store.unread()).toEqual(unread(1, '8'));
  });

  test('go with the membership', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 10);
    store.removeViews(['tea'], 9);
    expect(store.getSnapshot().views.size).toBe(1);
    store.removeViews(['tea'], 11);
    expect(store.getSnapshot().views.size).toBe(0);
    expect(store.badge()).toEqual({ groups: 0, messages: 0, mentions: 0, exact: false });
  });

  interface Step {
    readonly kind: 'read' | 'unread' | 'message';
    readonly by: number;
  }
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom('read', 'unread', 'message'), by: fc.integer({ min: 1, max: 3 }) }),
    { minLength: 1, maxLength: 12 },
  ) as fc.Arbitrary<readonly Step[]>;

  /** The states that a group goes through, each as a frame. All ids are larger than a number can hold. */
  function framesOf(history: readonly Step[]) {
    const ID = 9_007_199_254_740_992n;
    let [own, head, revision] = [ID, ID, 0];
    return history.map(({ kind, by }, index) => {
      if (kind === 'message') head += BigInt(by);
      else if (kind === 'read') own = own + BigInt(by) < head ? own + BigInt(by) : head;
      else [own, revision] = [own - BigInt(by), revision + 1];
      const left = unread(Number(head - own), head === own ? null : String(own + 1n));
      return {
        view: view(String(own), { revision, head: String(head), unread: left }),
        asOf: 1_000 + index,
      };
    });
  }

  test('converge to the newest, in any order, repeated, and with any loss but that of the newest', () => {
    const anyDelivery = steps.chain((history) => {
      const frames = framesOf(history);
      const newest = frames.length - 1;
      return fc
        .tuple(
          fc.array(fc.nat({ max: newest }), { maxLength: 30 }),
          fc.array(fc.nat({ max: newest }), { maxLength: 30 }),
        )
        .map(([before, after]) => ({ frames, order: [...before, newest, ...after] }));
    });
    fc.assert(
      fc.property(anyDelivery, ({ frames, order }) => {
        const store = createOwnStore();
        for (const index of order) {
          const frame = frames[index];
          if (frame) store.mergeViews([frame.view], frame.asOf);
        }
        expect(store.getSnapshot().views.get('tea')).toEqual(frames.at(-1)?.view);
      }),
      { numRuns: 500 },
    );
  });
});

describe('notes', () => {
  test('raise the unread count at once, each message once', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.note('tea', '11', { senderId: 'bob' });
    store.note('tea', '11', { senderId: 'bob' });
    store.note('tea', '12', { senderId: 'bob' });
    expect(store.unread()).toEqual(unread(5, '8'));
    expect(store.getSnapshot().views.get('tea')?.head).toBe('12');
  });

  test('leave out own messages, and what the view counts or has read', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.note('tea', '11', { senderId: 'ann' });
    store.note('tea', '10', { senderId: 'bob' });
    store.note('tea', '7', { senderId: 'bob' });
    expect(store.unread()).toEqual(unread(3, '8'));
  });

  test('give way to the next view that knows the message', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.note('tea', '11', { senderId: 'bob' });
    store.note('tea', '12', { senderId: 'bob' });
    store.mergeViews([view('7', { head: '11', unread: unread(4, '8') })], 2);
    expect(store.unread()).toEqual(unread(5, '8'));
    store.mergeViews([view('7', { head: '12', unread: unread(5, '8') })], 3);
    expect(store.unread()).toEqual(unread(5, '8'));
    store.note('tea', '12', { senderId: 'bob' });
    expect(store.unread()).toEqual(unread(5, '8'));
  });

  test('are not counted twice with the answer to a mark, which has no head', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.note('tea', '11', { senderId: 'bob' });
    store.note('tea', '12', { senderId: 'bob' });
    const { head: _head, ...marked } = view('11', { unread: unread(1, '12') });
    store.mergeViews([marked], store.stamp());
    expect(store.unread()).toEqual(unread(1, '12'));
    expect(store.getSnapshot().views.get('tea')?.messageId).toBe('11');
  });

  test('go when the user sees the message, and do not come back until it is marked unread', () => {
    const store = createOwnStore();
    store.mergeViews([view('10', { unread: unread(0, null) })], 1);
    store.note('tea', '12', { senderId: 'bob' });
    store.see('tea', '12');
    expect(store.unread()).toEqual(unread(0, null));
    store.note('tea', '12', { senderId: 'bob' });
    expect(store.unread()).toEqual(unread(0, null));
    store.mergeViews([view('9', { revision: 1, unread: unread(1, '10') })], 2);
    store.note('tea', '12', { senderId: 'bob' });
    expect(store.unread()).toEqual(unread(2, '10'));
  });

  test('have the first unread message where nothing else is unread', () => {
    const store = createOwnStore();
    store.mergeViews([view('10', { unread: unread(0, null) })], 1);
    store.note('tea', '9007199254740993', { senderId: 'bob' });
    store.note('tea', '12', { senderId: 'bob' });
    expect(store.unread()).toEqual({ ...unread(2, '12'), mentions: 0 });
  });

  test('raise the badge even in a group that is not known yet', () => {
    const store = createOwnStore();
    store.mergeViews([], 1, true);
    store.note('attic', '5', { senderId: 'bob' });
    expect(store.badge()).toEqual({ groups: 1, messages: 1, mentions: 0, exact: true });
    expect(store.takeStaleGroups()).toEqual(['attic']);
  });

  test.each([
    ['comes after it', (note: () => void, merge: () => void) => [merge, note]],
    ['came before it', (note: () => void, merge: () => void) => [note, merge]],
  ])(
    'of a message below the head of a view, which %s, lets the view be asked for, once',
    (_name, orderOf) => {
      const store = createOwnStore();
      store.mergeViews([view('7', { head: '10' })], 1);
      expect(store.takeStaleGroups()).toEqual([]);
      const note = () => store.note('tea', '12', { senderId: 'bob' });
      // The view was read between the records of 13 and 12.
      const merge = () => store.mergeViews([view('7', { head: '13', unread: unread(4, '8') })], 2);
      for (const step of orderOf(note, merge)) step();
      expect(store.asked()).toBeGreaterThan(0);
      expect(store.takeStaleGroups()).toEqual(['tea']);
      store.mergeViews([view('7', { head: '13', unread: unread(5, '8') })], 3);
      // The chat brings it again.
      note();
      expect(store.takeStaleGroups()).toEqual([]);
      expect(store.unread()).toEqual(unread(5, '8'));
    },
  );

  test('of messages that are read by then, or that no view has reached, let nothing be asked for', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.note('tea', '11', { senderId: 'bob' });
    store.note('tea', '12', { senderId: 'bob' });
    store.mergeViews([view('11', { head: '11', unread: unread(0, null) })], 2);
    expect(store.unread()).toEqual({ ...unread(1, '12'), mentions: 0 });
    expect([store.asked(), store.takeStaleGroups()]).toEqual([0, []]);
  });

  test('that came after a mark was sent do not stay out of the count', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    const sent = store.stamp();
    store.note('tea', '12', { senderId: 'bob' });
    const { head: _head, ...marked } = view('10', { unread: unread(0, null) });
    store.mergeViews([marked], sent);
    expect(store.takeStaleGroups()).toEqual(['tea']);
    store.mergeViews([view('10', { head: '12', unread: unread(1, '12') })], 2);
    expect(store.unread()).toEqual(unread(1, '12'));
    expect(store.takeStaleGroups()).toEqual([]);
  });

  test('do not change a count that is not exact', () => {
    const store = createOwnStore();
    store.mergeViews([view('7', { unread: unread(5_000, '8', false) })], 1);
    store.note('tea', '11', { senderId: 'bob' });
    expect(store.unread()).toEqual(unread(5_000, '8', false));
  });
});

describe('notes of the kind of a message', () => {
  const store = () => {
    const own = createOwnStore();
    own.mergeViews([view('10', { unread: unread(0, null) })], 1, true);
    return own;
  };

  test('leave out what is silent', () => {
    const own = store();
    own.note('tea', '11', { senderId: 'bob', silent: true, mentions: 'all' });
    expect(own.unread()).toEqual({ count: 0, mentions: 0, firstId: null, exact: true });
    expect(own.badge()).toEqual({ groups: 0, messages: 0, mentions: 0, exact: true });
  });

  test('count mentions of the user and of all, each message once', () => {
    const own = store();
    own.note('tea', '11', { senderId: 'bob', mentions: ['eve', 'ann'] });
    own.note('tea', '11', { senderId: 'bob', mentions: ['ann'] });
    own.note('tea', '12', { senderId: 'bob', mentions: 'all' });
    own.note('tea', '13', { senderId: 'bob', mentions: ['eve'] });
    own.note('tea', '14', { senderId: 'ann', mentions: 'all' });
    expect(own.unread()).toEqual({ count: 3, mentions: 2, firstId: '11', exact: true });
    expect(own.badge()).toEqual({ groups: 1, messages: 3, mentions: 2, exact: true });
  });

  test('give way to the view that counts them', () => {
    const own = store();
    own.note('tea', '11', { senderId: 'bob', mentions: ['ann'] });
    own.note('tea', '12', { senderId: 'bob' });
    const counted = { count: 1, mentions: 1, firstId: '11', exact: true };
    own.mergeViews([view('10', { head: '11', unread: counted })], 2);
    expect(own.unread()).toEqual({ count: 2, mentions: 1, firstId: '11', exact: true });
  });
});

describe('the archive', () => {
  const isArchived = (store: ReturnType<typeof createOwnStore>) =>
    store.getSnapshot().views.get('tea')?.archived;

  test.each([
    ['comes back with a message', 'untilNew', { senderId: 'bob' }, false],
    ['comes back with an own message', 'untilNew', { senderId: 'ann' }, false],
    ['stays with a silent message', 'untilNew', { senderId: 'bob', silent: true }, true],
    ['that is for always stays', 'always', { senderId: 'bob' }, true],
  ] as const)('%s', (_name, archive, message, archived) => {
    const store = createOwnStore();
    store.mergeViews([view('10', { archive, archived: true })], 1);
    store.note('tea', '11', message);
    expect(isArchived(store)).toBe(archived);
  });

  test('stays open while the message is read, and after a view that does not know the message', () => {
    const store = createOwnStore();
    store.mergeViews([view('10', { archive: 'untilNew', archived: true })], 1);
    store.note('tea', '11', { senderId: 'bob' });
    store.mergeViews([view('10', { archive: 'untilNew', archived: true })], 2);
    expect(isArchived(store)).toBe(false);
    store.mergeViews([{ groupId: 'tea', messageId: '11', revision: 0, unread: unread(0, null) }], 3);
    expect(isArchived(store)).toBe(false);
    store.note('tea', '12', { senderId: 'bob' });
    // The user archives it again, and then on another device.
    const answered = { notify: 'all', mutedUntil: null, hideReceipts: false } as const;
    store.mergePreferences({ groupId: 'tea', ...answered, archive: 'untilNew', archived: true, revision: 1 });
    expect(isArchived(store)).toBe(true);
    const again = { archive: 'untilNew', archived: true, preferencesRevision: 2 } as const;
    store.mergeViews([view('11', { head: '11', ...again })], 4);
    expect(isArchived(store)).toBe(true);
  });
});

describe('the badge', () => {
  const MINUTE = 60_000;
  afterEach(() => {
    jest.useRealTimers();
  });

  const unreadThere = { count: 5, mentions: 2, firstId: '8', exact: true };
  test.each([
    ['counts a group', {}, { groups: 1, messages: 5, mentions: 2 }],
    ['leaves out an archived group', { archived: true, archive: 'always' }, null],
    ['leaves out a group without notices', { notify: 'none' }, null],
    ['leaves out a muted group', { mutedUntil: '2999-01-01T00:00:00.000Z' }, null],
    [
      'counts a group whose mute is over',
      { mutedUntil: '2020-01-01T00:00:00.000Z' },
      { groups: 1, messages: 5, mentions: 2 },
    ],
    [
      'counts only mentions where only these are wanted',
      { notify: 'mentions' },
      { groups: 1, messages: 2, mentions: 2 },
    ],
    [
      'counts no group without any mention where only these are wanted',
      { notify: 'mentions', unread: { ...unreadThere, mentions: 0 } },
      null,
    ],
  ] as const)('%s', (_name, fields, expected) => {
    const store = createOwnStore();
    store.mergeViews([view('7', { unread: unreadThere, ...fields })], 1, true);
    expect(store.badge()).toEqual({ ...(expected ?? { groups: 0, messages: 0, mentions: 0 }), exact: true });
  });

  test('is exact where only a muted group is not', () => {
    const store = createOwnStore();
    const muted = view('7', { notify: 'none', unread: unread(5_000, '8', false) });
    store.mergeViews([muted, view('7', { groupId: 'hall' })], 1, true);
    expect(store.badge()).toEqual({ groups: 1, messages: 3, mentions: 1, exact: true });
  });

  test('rises when a mute ends, though nothing arrives, and only while somebody listens', () => {
    jest.useFakeTimers({ now: Date.parse('2026-01-31T12:00:00.000Z') });
    const store = createOwnStore();
    store.setConnection('live');
    const muted = (groupId: string, mutedUntil: string) => view('7', { groupId, mutedUntil });
    store.mergeViews(
      [
        muted('tea', '2026-01-31T12:10:00.000Z'),
        muted('hall', '2026-01-31T12:05:00.000Z'),
        // Longer than a timer takes.
        muted('attic', '2026-05-31T12:00:00.000Z'),
      ],
      1,
      true,
    );
    const messages = () => store.badge().messages;
    jest.advanceTimersByTime(5 * MINUTE - 1);
    expect(messages()).toBe(0);
    jest.advanceTimersByTime(1);
    expect(messages()).toBe(3);
    const changes = store.changes();
    jest.advanceTimersByTime(5 * MINUTE);
    expect([messages(), store.changes()]).toEqual([6, changes + 1]);
    jest.advanceTimersByTime(120 * 24 * 60 * MINUTE);
    expect(messages()).toBe(9);
    store.mergeViews([muted('tea', '2027-01-31T12:10:00.000Z')], 2);
    store.setConnection('idle');
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('preferences', () => {
  const answer = (revision: number, fields: object = {}) => ({
    groupId: 'tea',
    ...({ notify: 'none', mutedUntil: null, hideReceipts: true, archive: 'no', archived: false } as const),
    revision,
    ...fields,
  });
  const notify = (store: ReturnType<typeof createOwnStore>) => store.getSnapshot().views.get('tea')?.notify;

  test('of an answer are shown at once, with the fields of a view alone', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.mergePreferences(answer(1, { archive: 'always', archived: true }));
    expect(store.getSnapshot().views.get('tea')).toEqual(
      view('7', { notify: 'none', archive: 'always', archived: true, preferencesRevision: 1 }),
    );
  });

  test('are not taken back by a view that was read before, even if it was read later than the last one', () => {
    const store = createOwnStore();
    store.mergeViews([view('7')], 1);
    store.mergePreferences(answer(1));
    store.mergeViews([view('7')], 5);
    expect(notify(store)).toBe('none');
    // The user has read on another device meanwhile.
    store.mergeViews([view('9', { unread: unread(1, '10') })], 6);
    expect(store.getSnapshot().views.get('tea')).toMatchObject({ messageId: '9', notify: 'none' });
    store.mergeViews([view('9', { preferencesRevision: 2 })], 4);
    expect(notify(store)).toBe('all');
    store.mergePreferences(answer(1));
    expect(notify(store)).toBe('all');
  });

  test('of an answer to a mark are those that are known', () => {
    const store = createOwnStore();
    store.mergeViews([view('7', { notify: 'none', parentId: 'hall', preferencesRevision: 3 })], 1);
    store.mergeViews([{ groupId: 'tea', messageId: '9', revision: 0, unread: unread(1, '10') }], 2);
    expect(store.getSnapshot().views.get('tea')).toEqual(
      view('9', { notify: 'none', parentId: 'hall', preferencesRevision: 3, unread: unread(1, '10') }),
    );
  });

  test('are asked for where only a mark was answered', () => {
    const store = createOwnStore();
    store.add('tea');
    store.mergeViews([{ groupId: 'tea', messageId: '9', revision: 0, unread: unread(1, '10') }], 2);
    expect(store.takeStaleGroups()).toEqual(['tea']);
  });

  test('are forgotten by who leaves and joins again', () => {
    const store = createOwnStore();
    store.mergeViews([view('7', { notify: 'none', preferencesRevision: 5 })], 1);
    store.mergeViews([view('10', { revision: 1, unread: unread(0, null) })], 2);
    expect(notify(store)).toBe('all');
  });

  type Event = 'read' | 'unread' | 'choose' | 'answer of a mark' | 'answer of a choice';
  const NOTIFY = ['all', 'mentions', 'none'] as const;

  test('are in the end the newest, and never older within a revision, in any order of frames and answers', () => {
    const events = fc.array(
      fc.constantFrom<Event>('read', 'unread', 'choose', 'answer of a mark', 'answer of a choice'),
      { minLength: 4, maxLength: 12, size: 'max' },
    );
    fc.assert(
      fc.property(
        events,
        fc.array(fc.nat({ max: 11 }), { minLength: 4, maxLength: 20, size: 'max' }),
        (history, order) => {
          let [own, revision, chosen] = [50, 0, 0];
          const viewNow = () =>
            view(String(own), {
              ...{ revision, head: '90', unread: unread(90 - own, String(own + 1)) },
              ...{ notify: NOTIFY[chosen % 3] ?? 'all', preferencesRevision: chosen },
            });
          const sent = history.map((event, index): ((to: ReturnType<typeof createOwnStore>) => void) => {
            if (event === 'read') own += 1;
            if (event === 'unread') [own, revision] = [own - 2, revision + 1];
            if (event === 'choose') chosen += 1;
            const now = viewNow();
            const { groupId, messageId, unread: left } = now;
            const marked = { groupId, messageId, revision, unread: left };
            const preferences = answer(chosen, { notify: now.notify });
            if (event === 'answer of a mark') return (to) => to.mergeViews([marked], to.stamp());
            if (event === 'answer of a choice') return (to) => to.mergePreferences(preferences);
            return (to) => to.mergeViews([now], 1_000 + index);
          });
          const store = createOwnStore();
          let before: { readonly revision: number; readonly preferencesRevision: number } | undefined;
          for (const index of order) {
            sent[index % sent.length]?.(store);
            const after = store.getSnapshot().views.get('tea');
            if (before && after?.revision === before.revision) {
              expect(after.preferencesRevision).toBeGreaterThanOrEqual(before.preferencesRevision);
            }
            before = after;
          }
          // Each change is followed by a frame of its own.
          store.mergeViews([viewNow()], 2_000);
          expect(store.getSnapshot().views.get('tea')).toEqual(viewNow());
          for (const index of order) sent[index % sent.length]?.(store);
          const { unread: _unread, ...last } = viewNow();
          expect(store.getSnapshot().views.get('tea')).toMatchObject(last);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('receipts', () => {
  const receipt = (readCount: number) => ({ messageId: '7', audience: 2, readCount, deliveredCount: 2 });
  const readCount = (store: ReturnType<typeof createOwnStore>) =>
    store.getSnapshot().receipts.get('tea')?.get('7')?.readCount;

  test('are those of the largest time, whatever the order', () => {
    const store = createOwnStore();
    store.watchReceipt('tea', '7');
    store.mergeReceipts('tea', [receipt(2)], 20);
    store.mergeReceipts('tea', [receipt(1)], 10);
    expect(store.getSnapshot().receipts.get('tea')?.get('7')).toEqual({
      messageId: '7',
      audience: 2,
      readCount: 2,
      deliveredCount: 2,
      readByAll: true,
    });
    // Somebody has left.
    store.mergeReceipts('tea', [{ ...receipt(1), audience: 1 }], 30);
    expect(readCount(store)).toBe(1);
  });

  test('converge to the newest in any order and with repetition', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 40 }), (order) => {
        const store = createOwnStore();
        store.watchReceipt('tea', '7');
        for (const asOf of [...order, 9, ...order]) store.mergeReceipts('tea', [receipt(asOf)], asOf);
        expect(readCount(store)).toBe(9);
      }),
    );
  });

  test('of a message without an audience are not read by all', () => {
    const store = createOwnStore();
    store.watchReceipt('tea', '7');
    store.mergeReceipts('tea', [{ messageId: '7', audience: 0, readCount: 0, deliveredCount: 0 }], 1);
    expect(store.getSnapshot().receipts.get('tea')?.get('7')?.readByAll).toBe(false);
  });

  test('are kept while the message is watched, and go when the message is deleted', () => {
    const store = createOwnStore();
    const unwatch = store.watchReceipt('tea', '7');
    const alsoUnwatch = store.watchReceipt('tea', '7');
    store.mergeReceipts('tea', [receipt(1), { ...receipt(1), messageId: '8' }], 1);
    expect([...(store.getSnapshot().receipts.get('tea')?.keys() ?? [])]).toEqual(['7']);
    store.mergeReceipts('tea', [{ messageId: '7', known: false }], 2);
    expect(readCount(store)).toBeUndefined();
    store.mergeReceipts('tea', [receipt(2)], 3);
    unwatch();
    expect(readCount(store)).toBe(2);
    alsoUnwatch();
    expect(store.getSnapshot().receipts.size).toBe(0);
  });
});

describe('a snapshot', () => {
  test('stays the same object while nothing has changed, and so do its parts', () => {
    const store = createOwnStore();
    store.mergeViews([view('7'), view('1', { groupId: 'attic' })], 1, true);
    store.watchReceipt('tea', '7');
    store.mergeReceipts('tea', [{ messageId: '7', audience: 1, readCount: 0, deliveredCount: 0 }], 1);
    const before = store.getSnapshot();
    const changes = store.changes();
    store.mergeViews([view('7')], 2);
    store.mergeReceipts('tea', [{ messageId: '7', audience: 1, readCount: 0, deliveredCount: 0 }], 2);
    expect(store.getSnapshot()).toBe(before);
    expect(store.changes()).toBe(changes);
    store.mergeViews([view('8')], 3);
    const after = store.getSnapshot();
    expect(after).not.toBe(before);
    expect(after.views.get('attic')).toBe(before.views.get('attic'));
    expect(after.receipts).toBe(before.receipts);
    expect(after.badge).toBe(before.badge);
    expect(store.changes()).toBe(changes + 1);
  });

  test('has the badge of all groups, exact only where nothing is left out', () => {
    const store = createOwnStore();
    store.mergeViews([view('7'), view('1', { groupId: 'attic' })], 1, false);
    expect(store.badge()).toEqual({ groups: 2, messages: 6, mentions: 2, exact: false });
    store.mergeViews([view('2', { groupId: 'attic', unread: unread(0, null) })], 2, true);
    expect(store.badge()).toEqual({ groups: 1, messages: 3, mentions: 1, exact: true });
    store.mergeViews([view('7', { unread: unread(5_000, '8', false) })], 3);
    expect(store.badge()).toEqual({ groups: 1, messages: 5_000, mentions: 1, exact: false });
  });
});
