import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import { START } from '../../../shared/domain/position.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, applyJoin, listMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { setPreferences } from '../../../shared/operations/preferences.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { KeptLetters } from '../../support/stream-records.ts';
import { openTableStream, type TableStream } from '../../support/table-stream.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
let stream: TableStream;
beforeAll(async () => {
  tidemark = await openTidemark();
  stream = await openTableStream(tidemark.tableName);
});
afterAll(() => {
  stream.close();
  return tidemark.close();
});

/**
 * What Bob does in a group with Alice. Ids stand for messages up to 12. `cutOff`: the merges of this step never reach the
 * cache, so that it keeps old copies.
 */
type Step = { readonly cutOff: boolean } & (
  | { readonly do: 'hide' | 'show' | 'mute' | 'repeat join' | 'lose cache' }
  | { readonly do: 'read'; readonly id: number; readonly isPrivate: boolean; readonly inBatch: boolean }
  | { readonly do: 'deliver' | 'unread' | 'send' | 'receive' | 'overtake'; readonly id: number }
);

const id = fc.integer({ min: 1, max: 12 });
const cutOff = fc.boolean();
const stepOf = <Do extends Step['do']>(...names: Do[]) => fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: stepOf('hide', 'show'), cutOff }) },
  { weight: 1, arbitrary: fc.record({ do: stepOf('mute', 'repeat join', 'lose cache'), cutOff }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: stepOf('read'),
      id,
      cutOff,
      isPrivate: fc.constantFrom(false, false, true),
      inBatch: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: stepOf('unread', 'send', 'receive', 'deliver'), id, cutOff }) },
  { weight: 1, arbitrary: fc.record({ do: stepOf('overtake'), id, cutOff: fc.constant(false) }) },
);

/** What Bob has read, by the contract alone. Of the messages sent, the sender is kept: a repetition has no effect. */
class Model {
  hidden = false;
  self = 0;
  revision = 0;
  public = 0;
  delivered = 0;
  head = 0;
  readonly senders = new Map<number, 'alice' | 'bob'>();
  /** The mark that waits for its message. */
  early: { readonly id: number; readonly isPrivate: boolean; readonly revision: number } | null = null;

  advance(id: number, isPrivate: boolean, ifRevision = this.revision) {
    if (ifRevision === this.revision) this.self = Math.max(this.self, id);
    if (isPrivate || this.hidden) return;
    this.public = Math.max(this.public, id);
    this.delivered = Math.max(this.delivered, id);
  }

  record(id: number, sender: 'alice' | 'bob', isMerged: boolean) {
    if (!this.senders.has(id)) {
      this.senders.set(id, sender);
      this.head = Math.max(this.head, id);
      if (sender === 'bob') this.advance(id, false);
    }
    const { early } = this;
    // Without the cache the mark waits for the next message.
    if (!early || early.id > this.head || !isMerged) return;
    this.early = null;
    this.advance(early.id, early.isPrivate, early.revision);
  }

  unread(id: number) {
    if (id - 1 >= this.self) return;
    this.self = id - 1;
    this.revision += 1;
  }
}

async function play(steps: readonly Step[]): Promise<void> {
  const [groupId, alice, bob] = [aGroup(), aUser('alice'), aUser('bob')];
  const member = { groupId, userId: bob };
  const joining = { joinedAtMs: Date.now() - 60_000, joinedAfter: START };
  await addMembers(tidemark, groupId, [alice]);
  await applyJoin(tidemark, member, joining);
  const model = new Model();
  const everPublic = new Set([0]);
  const lossy: Tidemark = {
    ...tidemark,
    cache: replacing(tidemark.cache, {
      mergeFor: async () => null,
      merge: async () => false,
      mergeRecorded: async () => null,
    }),
  };

  for (const taken of steps) {
    const source = taken.cutOff ? lossy : tidemark;
    switch (taken.do) {
      case 'hide':
        await setPreferences(source, member, { hideReceipts: true });
        model.hidden = true;
        break;
      case 'show':
        await setPreferences(source, member, { hideReceipts: false });
        model.hidden = false;
        break;
      case 'mute':
        await setPreferences(source, member, { mutedUntil: model.head + model.self + 1 });
        break;
      case 'repeat join':
        await applyJoin(source, member, joining);
        break;
      case 'lose cache':
        // Without the marks that wait: they are best effort.
        await forget(tidemark.redis, groupId, ['members', 'messages', 'receipts', 'head', 'joined']);
        break;
      case 'read': {
        const read = Math.min(taken.id, model.head);
        if (read === 0) break;
        const kind = taken.isPrivate ? 'private' : 'read';
        if (taken.inBatch) {
          await markGroups(source, bob, [{ groupId, position: at(read), kind, ifRevision: null }]);
        } else {
          await markRead(source, member, at(read), { isPrivate: taken.isPrivate, ifRevision: null });
        }
        model.advance(read, taken.isPrivate);
        break;
      }
      case 'overtake': {
        if (model.early || model.head === 0) break;
        const early = model.head + taken.id;
        await markRead(source, member, at(early));
        model.early = { id: early, isPrivate: model.hidden, revision: model.revision };
        model.advance(model.head, false);
        break;
      }
      case 'deliver': {
        if (model.head === 0) break;
        const delivered = Math.min(taken.id, model.head);
        await markDelivered(source, member, at(delivered));
        model.delivered = Math.max(model.delivered, delivered);
        break;
      }
      case 'unread':
        await markUnread(source, member, at(taken.id));
        model.unread(taken.id);
        break;
      case 'send':
      case 'receive': {
        const sender = model.senders.get(taken.id) ?? (taken.do === 'send' ? 'bob' : 'alice');
        const senderId = sender === 'bob' ? bob : alice;
        await recordMessage(source, { groupId, position: at(taken.id), senderId });
        model.record(taken.id, sender, !taken.cutOff);
        break;
      }
    }
    everPublic.add(model.public);
    const state = await tidemark.ledger.memberships.read(member);
    if (state?.kind !== 'member') throw new Error('Bob is no member');
    expect({
      self: Number(state.self.position),
      revision: state.self.revision,
      public: Number(state.public.position),
      delivered: Number(state.delivered.position),
      hidden: state.preferences.hideReceipts,
    }).toEqual({
      self: model.self,
      revision: model.revision,
      public: model.public,
      delivered: model.delivered,
      hidden: model.hidden,
    });
  }

  // The projector repairs what the cache has missed.
  const records = await stream.take();
  const deadLetters = new DeadLetters(new KeptLetters());
  const projection = {
    tidemark,
    publisher: null,
    deadLetters,
    published: new RecentRecords(1),
    erasures: NO_ERASURES,
  };
  expect(await project(projection, records)).toEqual([]);
  await expectSeen();
  await forget(tidemark.redis, groupId);
  await expectSeen();

  // The events, as the back end passes them on.
  const events: TidemarkEvent[] = [];
  const publish = async (some: readonly TidemarkEvent[]) => {
    events.push(...some);
    return [];
  };
  const published = new RecentRecords(1_000);
  for (const record of records) {
    await publishMoves({ publisher: { publish }, deadLetters, published }, [record]);
  }
  const shown = events.flatMap((event) =>
    event.type === 'WatermarkAdvanced' && event.userId === bob ? [event] : [],
  );
  expect(shown.filter(({ to }) => !everPublic.has(Number(to)))).toEqual([]);
  expect(shown.filter(({ from }) => !everPublic.has(Number(from ?? 0)))).toEqual([]);
  expect(Number(shown.at(-1)?.to ?? 0)).toBe(model.public);
  const delivered = events.flatMap((event) =>
    event.type === 'DeliveryAdvanced' && event.userId === bob ? [Number(event.to)] : [],
  );
  expect(Math.max(0, ...delivered)).toBeLessThanOrEqual(model.delivered);

  /** What Alice and the back end see. */
  async function expectSeen(): Promise<void> {
    const { members } = await listMembers(tidemark, groupId, 10, null);
    const seen = members.find(({ userId }) => userId === bob);
    expect(Number(seen?.watermark)).toBe(model.public);
    const ofAlice = [...model.senders].filter(([, sender]) => sender === 'alice').map(([sent]) => sent);
    for (const sent of ofAlice) {
      const caller = { groupId, userId: alice };
      const [receipt] = (await countReceipts(tidemark, caller, [at(sent)])) ?? [];
      expect(receipt).toMatchObject({
        audience: 1,
        readCount: sent <= model.public ? 1 : 0,
        deliveredCount: sent <= model.delivered ? 1 : 0,
      });
      const listed = await listReceipts(tidemark, caller, at(sent), { state: 'read', limit: 9, after: null });
      if (!listed || typeof listed === 'string') throw new Error(`message ${sent}: ${listed}`);
      expect(listed.page.members.map(({ userId }) => userId)).toEqual(sent <= model.public ? [bob] : []);
    }
  }
}

test('nothing that is read or sent while receipts are hidden ever shows, whatever the cache holds', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), play), { numRuns: 60 });
});
