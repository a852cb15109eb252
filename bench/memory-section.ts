import { Redis } from 'ioredis';
import { Issuer, SCOPES } from '../local/identity/issuer.ts';
import { inParallel } from '../shared/domain/in-parallel.ts';
import { withStack } from './running-stack.ts';
import { StackClient } from './stack-client.ts';
import { digits, formatTable } from './table.ts';

const MESSAGES = 1_000;
const MEMBERS = 1_000;
const CALLERS = 16;

type Call = (method: 'GET' | 'PUT' | 'POST' | 'PATCH', path: string, content?: unknown) => Promise<unknown>;

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
  await withStack(async ({ description, dataDirectory }) => {
    const client = new StackClient(description.apiUrl);
    const redis = new Redis(description.redis.url);
    try {
      const issuer = await Issuer.open(dataDirectory);
      const token = await issuer.issue('chat', SCOPES.service);
      const call: Call = async (method, path, content) => {
        const { status, body } = await client.call(method, path, token, content);
        if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${body}`);
        return body === '' ? null : JSON.parse(body);
      };
      const messages = Object.entries(KINDS_OF_MESSAGES);
      const ofMessages = await Promise.all(
        messages.map(async ([name, carried]) => [name, digits(await ofAMessage(call, redis, carried))]),
      );
      console.log(`Bytes of Redis memory for each of ${MESSAGES} messages in the window of a group`);
      console.log(formatTable(['a message with', 'bytes'], ofMessages));
      const members = Object.entries(KINDS_OF_MEMBERS);
      const ofMembers = await Promise.all(
        members.map(async ([name, set]) => [name, digits(await ofAMember(call, redis, set))]),
      );
      console.log(`\nBytes of Redis memory for each of ${MEMBERS} members who have read, without receipts`);
      console.log(formatTable(['a member who has set', 'bytes'], ofMembers));
    } finally {
      redis.disconnect();
      await client.close();
    }
  });
}

async function ofAMessage(call: Call, redis: Redis, carried: object): Promise<number> {
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

async function ofAMember(call: Call, redis: Redis, set: object | null): Promise<number> {
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
