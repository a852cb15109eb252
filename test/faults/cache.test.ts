import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type RunningRedis, startRedis } from '../../local/engines/redis.ts';
import { fieldsOf } from '../../local/http/api-client.ts';
import { eventually } from '../support/engines.ts';
import type { ProxiedRequest } from '../support/fault-proxy.ts';
import {
  cachedPositionText,
  expectCovered,
  isRunning,
  positionText,
  withFaultStack,
} from '../support/fault-stack.ts';

const HEAD = 24;
const MEMBERS = ['ann', 'ben', 'cleo', 'dan'];

/** After the cache has failed, this many calls of it would show an instance that does not stop calling it. */
const FURTHER_CALLS = 40;

const faults = withFaultStack();
let groupId: string;
/** Null if the engine is no process: then a proxy makes its failures. */
let redisPid: number | null;
let mendProxy: () => void = () => undefined;
const restarted: RunningRedis[] = [];

beforeAll(() => {
  redisPid = faults.description.redis.pid;
});

beforeEach(async () => {
  // New instances, without the failures of the previous test.
  await faults.stack.lambda.kill();
  groupId = await faults.api.openGroup(['sender', ...MEMBERS], HEAD);
});

afterEach(async () => {
  faults.proxies.upstash.clear();
  resumeRedis();
  if (redisPid !== null && !isRunning(redisPid)) await startEmptyRedis();
  await expectCacheAnswers();
});

afterAll(async () => {
  for (const redis of restarted) await redis.stop();
});

describe('the cache is killed', () => {
  test('calls during traffic get the same answers', async () => {
    const traffic = startTraffic();
    await traffic.reaches(HEAD / 4);
    killRedis();
    await traffic.reaches((HEAD * 3) / 4);
    await startEmptyRedis();
    // No call fails. On a busy machine a merge may be lost, and a read may return an older mark for a moment, as
    // docs/failures.md describes. The tests below check the emptied cache itself.
    await traffic.ends();
    for (const member of MEMBERS) await expectReadUpTo(HEAD, member);
  });

  test('when it is back and empty, reads are right at once, and it fills again', async () => {
    for (const member of MEMBERS) await expectMarked(member, 5);
    killRedis();
    for (const member of MEMBERS) await expectMarked(member, 9);
    await startEmptyRedis();
    for (const member of MEMBERS) await expectReadUpTo(9, member);
    for (const member of MEMBERS) {
      await eventually(async () => {
        await expectReadUpTo(9, member);
        expect(await faults.cachedText(groupId, member)).toContain(cachedPositionText(9));
      });
    }
  });

  test('when it is back and empty, the projector does not merge earlier values into it', async () => {
    const tellsOf =
      (messageId: number) =>
      ({ operation, body }: ProxiedRequest) =>
        operation === 'merge' && body.includes(groupId) && body.includes(cachedPositionText(messageId));
    await expectMarked('ann', 5);
    killRedis();
    await expectMarked('ann', 6);
    await eventually(() => expect(faults.proxies.upstash.requests.some(tellsOf(6))).toBe(true));
    // The stream is behind: the batch with this mark comes later.
    faults.proxies.upstash.always(tellsOf(7), { kind: 'lose request' });
    await expectMarked('ann', 7);
    await startEmptyRedis();
    const before = faults.proxies.upstash.requests.length;
    await eventually(() => expect(faults.proxies.upstash.requests.slice(before).some(tellsOf(6))).toBe(true));
    await expectReadUpTo(7, 'ann');
  });

  test('when it is back and filled, it does not hide a mark of an instance that still does not call it', async () => {
    // The stream is behind.
    faults.proxies.upstash.always(
      ({ operation, body }) => operation === 'merge' && body.includes('"member"'),
      { kind: 'lose request' },
    );
    await expectMarked('ann', 5);
    killRedis();
    for (const messageId of [6, 7, 8]) await expectMarked('ann', messageId);
    await startEmptyRedis();
    await expectCacheAnswers();
    await expectReadUpTo(8, 'ann');
    await expectMarked('ann', 9);
    await expectReadUpTo(9, 'ann');
  });

  test('events are still published, one batch of the stream after the other', async () => {
    killRedis();
    for (const messageId of [5, 6, 7]) await expectMarkedAndTold('ann', messageId);
  });

  test('an instance stops calling it for a while', async () => {
    await expectReadUpTo(0, 'ann');
    killRedis();
    await expectLeftAlone();
  });
});

describe('the cache hangs', () => {
  test('calls during traffic get the same answers, and reads are right when it goes on', async () => {
    const traffic = startTraffic();
    await traffic.reaches(HEAD / 4);
    pauseRedis();
    const staleBefore = traffic.staleReads.length;
    await traffic.reaches((HEAD * 3) / 4);
    expect(traffic.staleReads.slice(staleBefore)).toEqual([]);
    resumeRedis();
    await traffic.ends();
    // It goes on with its earlier values: until the projector has caught up, reads may return an older mark.
    for (const member of MEMBERS) {
      expect(await faults.ledgerPosition(groupId, member)).toBe(positionText(HEAD));
      await eventually(() => expectReadUpTo(HEAD, member));
      await eventually(async () =>
        expect(await faults.cachedText(groupId, member)).toContain(cachedPositionText(HEAD)),
      );
    }
  });

  test('calls are right while it hangs', async () => {
    for (const member of MEMBERS) await expectMarked(member, 5);
    pauseRedis();
    for (const position of [6, 7, 8]) {
      for (const member of MEMBERS) {
        await expectMarked(member, position);
        await expectReadUpTo(position, member);
      }
    }
  });

  test('events are still published, one batch of the stream after the other', async () => {
    pauseRedis();
    for (const messageId of [5, 6, 7]) await expectMarkedAndTold('ann', messageId);
  });

  test('an instance stops calling it for a while', async () => {
    await expectReadUpTo(0, 'ann');
    pauseRedis();
    await expectLeftAlone();
  });
});

test('the cache is emptied during traffic: reads are right at once, and it fills again', async () => {
  for (const member of MEMBERS) await expectMarked(member, 11);
  await faults.emptyCache();
  for (const member of MEMBERS) await expectReadUpTo(11, member);
  for (const member of MEMBERS)
    expect(await faults.cachedText(groupId, member)).toContain(cachedPositionText(11));
});

/** Makes calls one after the other, so that one instance handles them all. */
async function expectLeftAlone(): Promise<void> {
  for (let call = 0; call < 4; call += 1) await expectReadUpTo(0, 'ann', 'watermark alone');
  const before = faults.proxies.upstash.count('readView');
  for (let call = 0; call < FURTHER_CALLS; call += 1) await expectReadUpTo(0, 'ann', 'watermark alone');
  // It may sometimes check whether the cache is back.
  expect(faults.proxies.upstash.count('readView') - before).toBeLessThan(FURTHER_CALLS / 8);
}

async function expectMarked(member: string, messageId: number): Promise<void> {
  const answer = await faults.api.mark(groupId, member, messageId);
  expect(answer).toMatchObject({
    status: 200,
    body: { messageId: String(messageId), unread: { count: HEAD - messageId, exact: true } },
  });
}

async function expectMarkedAndTold(member: string, messageId: number): Promise<void> {
  await expectMarked(member, messageId);
  await eventually(async () =>
    expectCovered(await faults.api.notified(groupId, member), { from: null, to: messageId }),
  );
}

async function expectReadUpTo(
  messageId: number,
  member: string,
  how: 'in every way' | 'watermark alone' = 'in every way',
): Promise<void> {
  const watermark = await faults.api.watermark(groupId, member);
  expect(watermark).toMatchObject({ status: 200, body: viewAt(messageId) });
  if (how === 'watermark alone') return;
  const statuses = await faults.api.statuses(groupId, member, 1, HEAD);
  expect(statuses).toMatchObject({
    status: 200,
    body: {
      statuses: [
        { messageId: '1', read: messageId >= 1 },
        { messageId: String(HEAD), read: messageId >= HEAD },
      ],
    },
  });
}

function viewAt(messageId: number) {
  return {
    messageId: messageId === 0 ? null : String(messageId),
    head: String(HEAD),
    unread: { count: HEAD - messageId, exact: true },
  };
}

interface StaleRead {
  readonly member: string;
  readonly acknowledged: number;
  readonly returned: unknown;
}

interface Traffic {
  /** Resolves once every member has marked this far, or a call has failed. */
  reaches(messageId: number): Promise<void>;
  /** Resolves once all marks are made. Rejects if a call failed. */
  ends(): Promise<void>;
  /** The reads that returned less than was acknowledged before they began. */
  readonly staleReads: readonly StaleRead[];
}

/** For each member, one caller marks messages one after the other and reads after each, and another caller reads all the time. */
function startTraffic(): Traffic {
  const acknowledged = new Map(MEMBERS.map((member) => [member, 0]));
  const failures: unknown[] = [];
  const staleReads: StaleRead[] = [];
  let isOver = false;
  const writers = MEMBERS.map(async (member) => {
    for (let messageId = 1; messageId <= HEAD; messageId += 1) {
      const answer = await faults.api.mark(groupId, member, messageId);
      const { status, body } = answer;
      const isTaken = status === 200 && fieldsOf(answer).messageId === String(messageId);
      if (!isTaken) failures.push({ member, status, body });
      acknowledged.set(member, messageId);
      await readView(member);
    }
  });
  const readers = MEMBERS.map(async (member) => {
    while (!isOver) await readView(member);
  });
  const marking = Promise.allSettled(writers).then((outcomes) => {
    isOver = true;
    for (const outcome of outcomes) if (outcome.status === 'rejected') failures.push(outcome.reason);
  });
  const ended = Promise.allSettled([marking, ...readers]);
  return {
    staleReads,
    reaches: (messageId) =>
      eventually(() => {
        const least = Math.min(...acknowledged.values());
        if (failures.length === 0) expect(least).toBeGreaterThanOrEqual(messageId);
      }),
    async ends() {
      await ended;
      expect(failures).toEqual([]);
    },
  };

  async function readView(member: string): Promise<void> {
    const least = acknowledged.get(member) ?? 0;
    const answer = await faults.api.watermark(groupId, member);
    const { messageId } = fieldsOf(answer);
    if (answer.status !== 200) failures.push({ member, status: answer.status, body: answer.body });
    else if (Number(messageId) < least) staleReads.push({ member, acknowledged: least, returned: messageId });
  }
}

function killRedis(): void {
  if (redisPid === null) mendProxy = faults.proxies.upstash.always(() => true, { kind: 'lose request' });
  else process.kill(redisPid, 'SIGKILL');
}

async function startEmptyRedis(): Promise<void> {
  if (redisPid === null) {
    await faults.emptyCache();
    mendProxy();
    return;
  }
  const { port, password } = new URL(faults.stack.description.redis.url);
  const redis = await eventually(() =>
    startRedis({ preferred: 'redis-server', port: Number(port), password }),
  );
  restarted.push(redis);
  redisPid = redis.pid;
}

function pauseRedis(): void {
  if (redisPid === null) mendProxy = faults.proxies.upstash.always(() => true, { kind: 'hang' });
  else process.kill(redisPid, 'SIGSTOP');
}

function resumeRedis(): void {
  if (redisPid === null) mendProxy();
  else if (isRunning(redisPid)) process.kill(redisPid, 'SIGCONT');
}

/** Calls the engine without the proxy, so that counts and faults of a test do not change. */
async function expectCacheAnswers(): Promise<void> {
  const { url, token } = faults.stack.description.upstash;
  await eventually(async () => {
    const { status } = await fetch(`${url}/ping`, { headers: { authorization: `Bearer ${token}` } });
    expect(status).toBe(200);
  });
}
