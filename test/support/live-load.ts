import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ApiClient } from '../../local/http/api-client.ts';
import { inParallel } from '../../shared/domain/in-parallel.ts';
import { LiveClient } from './live-client.ts';
import type { Receipt, View } from './merged-frames.ts';

/** A group in which connected members read on, and others wait for what they read. */
export interface LoadPlan {
  readonly groupId: string;
  readonly members: number;
  /** Each of another member: the senders, then readers. */
  readonly connections: number;
  /** They have sent the messages in turn. A receipts frame must hold all messages of one sender: at most 20. */
  readonly senders: number;
  readonly messages: number;
  /** The readers mark in turn, each time further. */
  readonly marks: number;
  /** Null: four at the same time, as fast as they are answered. */
  readonly marksASecond: number | null;
}

export interface LoadResult {
  readonly frames: { readonly view: number; readonly receipts: number };
  /** From the first mark until every device had the last state. */
  readonly elapsedMs: number;
  /** From the first mark until the last one was answered. */
  readonly markingMs: number;
  /** From the call of each mark until the reader's device had a view with it, and one sender's a receipts frame. */
  readonly viewMs: readonly number[];
  readonly receiptsMs: readonly number[];
}

type Stack = Pick<ApiClient, 'asService' | 'asUser' | 'userToken'> & { readonly wsUrl: string };

interface Device {
  readonly userId: string;
  readonly client: LiveClient;
  /** The views and receipts since the first mark. */
  readonly arrivals: {
    readonly type: 'view' | 'receipts';
    readonly atMs: number;
    readonly asOf: number;
    /** Of a view. */
    readonly messageId: string | null;
  }[];
}

const SETUP_AT_ONCE = 10;
const MARKS_AT_ONCE = 4;
const MEMBERS_A_CALL = 100;
const RETRY_MS = 50;

/** Runs the marks. Throws if a device does not get the counts that follow from the plan before the deadline. */
export async function runLoad(stack: Stack, plan: LoadPlan, deadlineMs: number): Promise<LoadResult> {
  const { groupId, senders, connections } = plan;
  const users = Array.from({ length: plan.members }, (_, index) => `${groupId}-m${index}`);
  await openGroup(stack, plan, users);
  const devices: Device[] = users.slice(0, connections).map((userId, index) => {
    const arrivals: Device['arrivals'] = [];
    const own = messagesOf(plan, index);
    const client = new LiveClient({
      ...{ url: stack.wsUrl, groupId },
      token: () => stack.userToken(userId),
      readReceipts: async () => (own.length === 0 ? [] : receiptsOf(stack, groupId, userId, own)),
      onFrame(frame) {
        const { type } = frame;
        if (type !== 'view' && type !== 'receipts') return;
        const messageId = type === 'view' ? frame.messageId : null;
        arrivals.push({ type, atMs: Date.now(), asOf: frame.asOf, messageId });
      },
    });
    return { userId, client, arrivals };
  });
  try {
    await inParallel(devices, SETUP_AT_ONCE, async ({ client }) => {
      client.start();
      await until(() => (client.syncs > 0 ? null : 'a device is not connected'), deadlineMs);
    });
    for (const { arrivals } of devices) arrivals.length = 0;

    const readers = devices.slice(senders);
    const begunMs = Date.now();
    const made = await makeMarks(stack, plan, readers, begunMs);
    const markingMs = Date.now() - begunMs;
    const expected = devices.map((_, index) => expectedOf(plan, index));
    await until(() => {
      const wrong = devices.findIndex(
        ({ client }, index) => !isDeepStrictEqual(knownBy(client, plan, index), expected[index]),
      );
      const client = devices[wrong]?.client;
      if (!client) return null;
      const [has, should] = [knownBy(client, plan, wrong), expected[wrong]].map((one) => JSON.stringify(one));
      return `device ${wrong} has ${has}, not ${should}`;
    }, deadlineMs);
    const elapsedMs = Date.now() - begunMs;
    const count = (kind: 'view' | 'receipts') =>
      devices.flatMap(({ arrivals }) => arrivals).filter(({ type }) => type === kind).length;
    const [observer] = devices;
    return {
      frames: { view: count('view'), receipts: count('receipts') },
      ...{ elapsedMs, markingMs },
      viewMs: made.flatMap(({ calledMs, to, reader }) => {
        const arrival = reader.arrivals.find(
          ({ messageId, atMs }) => atMs >= calledMs && Number(messageId) >= to,
        );
        return arrival ? [arrival.atMs - calledMs] : [];
      }),
      // A frame whose state was read after the answer of the mark has the mark.
      receiptsMs: made.flatMap(({ calledMs, answeredMs }) => {
        const arrival = observer?.arrivals.find(
          ({ type, asOf }) => type === 'receipts' && asOf >= answeredMs,
        );
        return arrival ? [arrival.atMs - calledMs] : [];
      }),
    };
  } finally {
    await Promise.all(devices.map(({ client }) => client.stop()));
  }
}

async function openGroup(stack: Stack, plan: LoadPlan, users: readonly string[]): Promise<void> {
  const { groupId, messages } = plan;
  for (let from = 0; from < users.length; from += MEMBERS_A_CALL) {
    const userIds = users.slice(from, from + MEMBERS_A_CALL);
    await answered(() => stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds }));
  }
  for (let id = 1; id <= messages; id += 1) {
    const message = { messageId: String(id), senderId: users[(id - 1) % plan.senders] };
    await answered(() => stack.asService('POST', `/v1/groups/${groupId}/messages`, message));
  }
}

interface MadeMark {
  readonly calledMs: number;
  readonly answeredMs: number;
  readonly to: number;
  readonly reader: Device;
}

async function makeMarks(
  stack: Stack,
  plan: LoadPlan,
  readers: readonly Device[],
  begunMs: number,
): Promise<MadeMark[]> {
  const mark = async (index: number): Promise<MadeMark> => {
    const reader = readers[index % readers.length];
    if (!reader) throw new Error('there are no readers');
    const to = stepOf(plan) * (Math.floor(index / readers.length) + 1);
    const calledMs = Date.now();
    const path = `/v1/groups/${plan.groupId}/watermark`;
    await answered(() => stack.asUser(reader.userId, 'PUT', path, { messageId: String(to) }));
    return { calledMs, answeredMs: Date.now(), to, reader };
  };
  const indices = Array.from({ length: plan.marks }, (_, index) => index);
  const { marksASecond } = plan;
  if (marksASecond === null) return inParallel(indices, MARKS_AT_ONCE, mark);
  const making: Promise<MadeMark>[] = [];
  for (const index of indices) {
    const waitMs = begunMs + (index * 1_000) / marksASecond - Date.now();
    if (waitMs > 0) await delay(waitMs);
    making.push(mark(index));
  }
  return Promise.all(making);
}

/** By how many messages a mark goes further. */
function stepOf({ messages, marks, connections, senders }: LoadPlan): number {
  return Math.floor(messages / Math.ceil(marks / (connections - senders)));
}

/** The messages that a user has sent, by its place among the members. */
function messagesOf({ messages, senders }: LoadPlan, place: number): number[] {
  if (place >= senders) return [];
  return Array.from({ length: messages }, (_, index) => index + 1).filter(
    (id) => (id - 1) % senders === place,
  );
}

/** How far a user has read in the end: a sender up to its last message. */
function positionOf(plan: LoadPlan, place: number): number {
  const { senders, connections, marks } = plan;
  if (place < senders) return messagesOf(plan, place).at(-1) ?? 0;
  if (place >= connections) return 0;
  const readers = connections - senders;
  const own = Math.floor(marks / readers) + (place - senders < marks % readers ? 1 : 0);
  return own * stepOf(plan);
}

interface Known {
  readonly messageId: string | null;
  readonly unread: View['unread'] | null;
  readonly receipts: readonly (Receipt | null)[];
}

function expectedOf(plan: LoadPlan, place: number): Known {
  const position = positionOf(plan, place);
  const others = plan.messages - messagesOf(plan, place).length;
  const readOfOthers = position - messagesOf(plan, place).filter((id) => id <= position).length;
  const own = new Set(messagesOf(plan, place));
  const above = Array.from({ length: plan.messages - position }, (_, index) => position + index + 1);
  const firstOther = above.find((id) => !own.has(id));
  const positions = Array.from({ length: plan.members }, (_, member) => positionOf(plan, member));
  return {
    messageId: String(position),
    unread: {
      count: others - readOfOthers,
      mentions: 0,
      firstId: firstOther === undefined ? null : String(firstOther),
      exact: true,
    },
    receipts: messagesOf(plan, place).map((id) => {
      const readers = positions.filter((reached, member) => member !== place && reached >= id).length;
      const counts = { audience: plan.members - 1, readCount: readers, deliveredCount: readers };
      return { messageId: String(id), ...counts };
    }),
  };
}

function knownBy({ merged }: LiveClient, plan: LoadPlan, place: number): Known {
  const view = merged.view(plan.groupId);
  return {
    messageId: view?.messageId ?? null,
    unread: view?.unread ?? null,
    receipts: messagesOf(plan, place).map((id) => merged.receipt(plan.groupId, String(id))),
  };
}

async function receiptsOf(
  stack: Stack,
  groupId: string,
  userId: string,
  ids: readonly number[],
): Promise<Receipt[]> {
  const { text } = await answered(() =>
    stack.asUser(userId, 'POST', `/v1/groups/${groupId}/receipts`, { messageIds: ids.map(String) }),
  );
  const { receipts } = JSON.parse(text) as {
    receipts: (Receipt & { known: boolean; readByAll: boolean })[];
  };
  return receipts.map(({ known, readByAll, ...receipt }) => receipt);
}

/** Makes a call again while the service is busy, as clients do. */
async function answered<T extends { readonly status: number; readonly text: string }>(
  call: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const answer = await call();
    if (answer.status < 300) return answer;
    if (answer.status !== 429 && answer.status !== 503)
      throw new Error(`a call answered ${answer.status}: ${answer.text}`);
    await delay(RETRY_MS);
  }
}

/** Waits until nothing is wrong any more. Throws an error with what is wrong at the deadline. */
async function until(wrong: () => string | null, deadlineMs: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const message = wrong();
    if (message === null) return;
    if (performance.now() > deadline) throw new Error(message);
    await delay(20);
  }
}
