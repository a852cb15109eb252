import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import type { BusEvent } from '../../local/http/api-client.ts';
import { eventually, freshPrefix } from './engines.ts';
import { A_TIME, expectAnswer, expectNotFound } from './expected-answers.ts';
import { type Answer, type Json, type RunningStack, startRunningStack } from './running-stack.ts';
import { startedForTests } from './started.ts';

/** One who has not read a message may have read an earlier one, or none. */
const NULL_OR_A_TIME = {
  asymmetricMatch: (value: unknown) => value === null || A_TIME.asymmetricMatch(value),
};
/** The stack with its groups, and a hand on its cache. */
export interface ReceiptsStack {
  readonly running: RunningStack;
  asUser(userId: string, method: string, path: string, body?: Json): Promise<Answer>;
  asService(method: string, path: string, body?: Json): Promise<Answer>;
  /** A group of these members, in which nobody has sent anything yet. */
  groupOf(...userIds: string[]): Promise<ReceiptsGroup>;
  /** The same under an id of one's own. */
  groupNamed(groupId: string, ...userIds: string[]): Promise<ReceiptsGroup>;
  /** All that Tidemark put on the bus. */
  events(): Promise<BusEvent[]>;
  emptyCache(): Promise<void>;
  /** Whether the cache holds it or not, `check` must pass. */
  withAndWithoutCache(check: () => Promise<void>): Promise<void>;
  /** Forgets one key that the cache holds. */
  forget(key: string): Promise<void>;
  stop(): Promise<void>;
}

/** What others did to a message: who is concerned by it has either read it or not. */
export interface ExpectedReceipts {
  readonly sender: string;
  readonly read: readonly string[];
  readonly unread: readonly string[];
  readonly delivered: readonly string[];
}

/** One group as its members and its service see it. What is not answered but done must succeed. */
export interface ReceiptsGroup {
  readonly groupId: string;
  /** Records messages of one sender, in this order. */
  record(senderId: string, ...messageIds: string[]): Promise<void>;
  remove(messageId: string): Promise<void>;
  join(userId: string): Promise<void>;
  leave(userId: string): Promise<void>;
  /** A mark that must be taken. */
  reads(userId: string, messageId: string): Promise<void>;
  readsPrivately(userId: string, messageId: string): Promise<void>;
  getsDelivered(userId: string, messageId: string): Promise<void>;
  mark(userId: string, body: Json): Promise<Answer>;
  markUnread(userId: string, messageId: string): Promise<Answer>;
  markDelivered(userId: string, messageId: string): Promise<Answer>;
  readView(userId: string): Promise<Answer>;
  receipts(userId: string, messageId: string, query?: string): Promise<Answer>;
  counts(userId: string, ...messageIds: string[]): Promise<Answer>;
  members(): Promise<Answer>;
  /** The events of the group, of one type, and of one member where one is named. */
  details(type: string, userId?: string): Promise<BusEvent['detail'][]>;
  /** The types of all events of one member, in order. */
  eventTypes(userId: string): Promise<string[]>;
  /** The receipts of these messages, alone and together, as one member sees them; null of a message that has none. */
  expectReceipts(userId: string, expected: Readonly<Record<string, ExpectedReceipts | null>>): Promise<void>;
  /** Whatever the cache still holds of the group, `check` must pass. */
  inEveryCache(check: () => Promise<void>): Promise<void>;
}

export function withReceiptsStack(): ReceiptsStack {
  return startedForTests(startReceiptsStack);
}

async function startReceiptsStack(): Promise<ReceiptsStack> {
  const running = await startRunningStack();
  const redis = new Redis(running.description.redis.url);
  const stack: ReceiptsStack = {
    running,
    asUser: running.asUser,
    asService: running.asService,
    groupOf: (...userIds) => stack.groupNamed(freshPrefix('g'), ...userIds),
    async groupNamed(groupId, ...userIds) {
      expectDone(await stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds }));
      return receiptsGroup(stack, groupId);
    },
    async events() {
      const events = await running.events();
      return events.filter(({ source }) => source === 'tidemark');
    },
    async emptyCache() {
      await redis.flushdb();
    },
    async withAndWithoutCache(check) {
      // What others did may reach the cache a moment later than its answer, where the machine is busy.
      await eventually(check);
      await stack.emptyCache();
      await check();
    },
    async forget(key) {
      if ((await redis.del(key)) !== 1) throw new Error(`the cache holds no ${key}`);
    },
    async stop() {
      redis.disconnect();
      await running.stop();
    },
  };
  return stack;
}

function receiptsGroup(stack: ReceiptsStack, groupId: string): ReceiptsGroup {
  const { asUser, asService } = stack;
  const path = `/v1/groups/${groupId}`;
  const ownEvents = async (userId?: string) =>
    (await stack.events()).filter(
      ({ detail }) => detail.groupId === groupId && (userId === undefined || detail.userId === userId),
    );
  const group: ReceiptsGroup = {
    groupId,
    async record(senderId, ...messageIds) {
      for (const messageId of messageIds) {
        expectDone(await asService('POST', `${path}/messages`, { messageId, senderId }));
      }
    },
    remove: async (messageId) => expectDone(await asService('DELETE', `${path}/messages/${messageId}`)),
    join: async (userId) => expectDone(await asService('PUT', `${path}/members/${userId}`)),
    leave: async (userId) => expectDone(await asService('DELETE', `${path}/members/${userId}`)),
    reads: async (userId, messageId) => expectDone(await group.mark(userId, { messageId })),
    readsPrivately: async (userId, messageId) =>
      expectDone(await group.mark(userId, { messageId, private: true })),
    getsDelivered: async (userId, messageId) => expectDone(await group.markDelivered(userId, messageId)),
    mark: (userId, body) => asUser(userId, 'PUT', `${path}/watermark`, body),
    markUnread: (userId, messageId) => asUser(userId, 'POST', `${path}/unread`, { messageId }),
    markDelivered: (userId, messageId) => asUser(userId, 'PUT', `${path}/delivered`, { messageId }),
    readView: (userId) => asUser(userId, 'GET', `${path}/watermark`),
    receipts: (userId, messageId, query = '') =>
      asUser(userId, 'GET', `${path}/messages/${messageId}/receipts${query}`),
    counts: (userId, ...messageIds) => asUser(userId, 'POST', `${path}/receipts`, { messageIds }),
    members: () => asService('GET', `${path}/members`),
    details: async (type, userId) =>
      (await ownEvents(userId)).filter((event) => event['detail-type'] === type).map(({ detail }) => detail),
    eventTypes: async (userId) => (await ownEvents(userId)).map((event) => event['detail-type']),
    async expectReceipts(userId, expected) {
      for (const [messageId, receipts] of Object.entries(expected)) {
        if (receipts) await expectLists(group, userId, messageId, receipts);
        else expectNotFound(await group.receipts(userId, messageId));
      }
      expectAnswer(await group.counts(userId, ...Object.keys(expected)), 200, {
        groupId,
        receipts: Object.entries(expected).map(([messageId, receipts]) => countsOf(messageId, receipts)),
      });
    },
    async inEveryCache(check) {
      await stack.withAndWithoutCache(check);
      await stack.forget(`tm:{${groupId}}:receipts`);
      await check();
      await stack.forget(`tm:{${groupId}}:members`);
      await check();
    },
  };
  return group;
}

async function expectLists(
  group: ReceiptsGroup,
  userId: string,
  messageId: string,
  { sender, read, unread, delivered }: ExpectedReceipts,
): Promise<void> {
  for (const [state, userIds] of Object.entries({ read, unread, delivered })) {
    const answer = await group.receipts(userId, messageId, `?state=${state}`);
    expect({ state, body: sortedByUser(answer) }).toEqual({
      state,
      body: {
        groupId: group.groupId,
        messageId,
        senderId: sender,
        audience: read.length + unread.length,
        readCount: read.length,
        deliveredCount: delivered.length,
        members: userIds.toSorted().map((name) => ({
          userId: name,
          at: state === 'unread' ? NULL_OR_A_TIME : A_TIME,
        })),
        cursor: null,
      },
    });
  }
}

function countsOf(messageId: string, receipts: ExpectedReceipts | null) {
  if (!receipts) return { messageId, known: false };
  const { read, unread, delivered } = receipts;
  return {
    messageId,
    known: true,
    audience: read.length + unread.length,
    readCount: read.length,
    deliveredCount: delivered.length,
    readByAll: read.length > 0 && unread.length === 0,
  };
}

/** The body of an answer, with the members in an order that a test can write down. */
export function sortedByUser({ body }: Answer): Json {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return body;
  const { members, ...rest } = body;
  if (!Array.isArray(members)) return body;
  const nameOf = (member: Json) => String((member as { userId: Json }).userId);
  return { ...rest, members: members.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)) };
}

function expectDone({ status, text }: Answer): void {
  if (status < 200 || status > 204) throw new Error(`what a test builds on was refused: ${status} ${text}`);
}
