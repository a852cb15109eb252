import { Redis } from 'ioredis';
import { inParallel } from '../shared/domain/in-parallel.ts';
import { withStack } from './running-stack.ts';
import { type ServiceCall, withService } from './stack-client.ts';
import { digits, formatTable } from './table.ts';

const MESSAGES = 1_000;
const MEMBERS = 1_000;
const CALLERS = 16;

/** What a message carries beside its id and its sender. */
const KINDS_OF_MESSAGES = {
  'nothing more': {},
  silent: { silent: true },
  'a reminder': { remindAfterSeconds: 3_600 },
  'one user mentioned': { mentions: [memberOf(1)] },
  'ten users mentioned': { mentions: Array.from({ length: 10 }, (_, index) => memberOf(index)) },
  'all mentioned': { mentions: 'all' },
} as const;

/** What a member has set, beside its mark. */
const KINDS_OF_MEMBERS = {
  nothing: null,
  muted: { mutedUntil: '2999-12-31T00:00:00Z' },
  'muted, archived, receipts hidden': {
    mutedUntil: '2999-12-31T00:00:00Z',
    archive: 'untilNew',
    hideReceipts: true,
  },
} as const;

/** Measures the memory of Redis for each message and for each member, through the local stack. */
export async function measureMemoryOfItems(): Promise<void> {
  await withStack(async (stack) => {
    const redis = new Redis(stack.description.redis.url);
    try {
      await withService(stack, (call) => measure(call, redis));
    } finally {
      redis.disconnect();
    }
  });
}

async function measure(call: ServiceCall, redis: Redis): Promise<void> {
  console.log(`Bytes of Redis memory for each of ${MESSAGES} messages in the window of a group`);
  const ofMessages = await rowsOf(KINDS_OF_MESSAGES, (carried) => ofAMessage(call, redis, carried));
  console.log(formatTable(['a message with', 'bytes'], ofMessages));
  console.log(`\nBytes of Redis memory for each of ${MEMBERS} members who have read, without receipts`);
  const ofMembers = await rowsOf(KINDS_OF_MEMBERS, (set) => ofAMember(call, redis, set));
  console.log(formatTable(['a member who has set', 'bytes'], ofMembers));
}

function rowsOf<Kind>(
  kinds: Readonly<Record<string, Kind>>,
  bytesOfOne: (kind: Kind) => Promise<number>,
): Promise<string[][]> {
  return Promise.all(
    Object.entries(kinds).map(async ([name, kind]) => [name, digits(await bytesOfOne(kind))]),
  );
}

async function ofAMessage(call: ServiceCall, redis: Redis, carried: object): Promise<number> {
  const groupId = `messages-${Math.random()}`;
  await call('PUT', `/v1/groups/${groupId}/members/${memberOf(0)}`);
  // Reading the unread messages loads the window, which then keeps what is recorded.
  const send = async (number: number) => {
    await call('POST', `/v1/groups/${groupId}/messages`, {
      messageId: String(number * 1_000_000),
      senderId: 'a-sender-outside',
      ...carried,
    });
  };
  const readUnread = () => call('GET', `/v1/users/${memberOf(0)}/groups/${groupId}/watermark`);
  await send(1);
  await readUnread();
  const key = `tm:{${groupId}}:messages`;
  const before = await bytesOf(redis, key);
  for (let number = 2; number <= MESSAGES + 1; number += 1) await send(number);
  await readUnread();
  return ((await bytesOf(redis, key)) - before) / MESSAGES;
}

async function ofAMember(call: ServiceCall, redis: Redis, set: object | null): Promise<number> {
  const groupId = `members-${Math.random()}`;
  const members = Array.from({ length: MEMBERS }, (_, index) => memberOf(index));
  await call('POST', `/v1/groups/${groupId}/messages`, {
    messageId: '1000000',
    senderId: 'a-sender-outside',
  });
  await inParallel(members, CALLERS, async (userId) => {
    await call('PUT', `/v1/groups/${groupId}/members/${userId}`);
    const own = `/v1/users/${userId}/groups/${groupId}`;
    await call('PUT', `${own}/watermark`, { messageId: '1000000' });
    if (set !== null) await call('PATCH', `${own}/preferences`, set);
  });
  const key = `tm:{${groupId}}:members`;
  return (await bytesOf(redis, key)) / (await redis.hlen(key));
}

/** With SAMPLES 0, Redis looks at every element. */
async function bytesOf(redis: Redis, key: string): Promise<number> {
  return (await redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0;
}

/** An id of 26 characters, as a ULID has. */
function memberOf(index: number): string {
  return `member-${String(index).padStart(19, '0')}`;
}
