import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type RunningRedis, startRedis } from '../../local/engines/redis.ts';
import { eventually } from '../support/engines.ts';
import { type Answer, type FaultStack, positionText, startFaultStack } from '../support/fault-stack.ts';

const HEAD = 24;
const MEMBERS = ['ann', 'ben', 'cleo', 'dan'];

/** So many calls, after the cache was given up, would tell of an instance that goes on asking. */
const FURTHER_CALLS = 40;

let faults: FaultStack;
let groupId: string;
let restarted: RunningRedis | null;

beforeEach(async () => {
  restarted = null;
  faults = await startFaultStack();
  groupId = await faults.api.openGroup(['sender', ...MEMBERS], HEAD);
}, 60_000);

afterEach(async () => {
  const { pid } = faults.stack.description.redis;
  if (pid !== null && isRunning(pid)) process.kill(pid, 'SIGCONT');
  await faults.stop();
  await restarted?.stop();
});

describe('the cache is killed', () => {
  test('every call answers as before, in the middle of traffic', async () => {
    const traffic = startTraffic();
    await traffic.reaches(HEAD / 4);
    killRedis();
    await traffic.reaches((HEAD * 3) / 4);
    restarted = await startEmptyRedis();
    await traffic.done;

    for (const member of MEMBERS) await expectReadUpTo(HEAD, member);
  }, 60_000);

  test('reads are right at once when it is back, empty, and it fills again', async () => {
    for (const member of MEMBERS) await expectMarked(member, 5);
    killRedis();
    for (const member of MEMBERS) await expectMarked(member, 9);
    restarted = await startEmptyRedis();
    for (const member of MEMBERS) await expectReadUpTo(9, member);
    for (const member of MEMBERS) {
      await eventually(async () => {
        await expectReadUpTo(9, member);
        expect(await faults.cachedText(groupId, member)).toContain(positionText(9));
      });
    }
  }, 60_000);

  test('an instance stops asking for a while', async () => {
    await expectReadUpTo(0, 'ann');
    killRedis();
    await expectLeftAlone();
  }, 60_000);
});

describe('the cache hangs', () => {
  test('every call answers as before, in the middle of traffic, and reads are right when it goes on', async () => {
    const traffic = startTraffic();
    await traffic.reaches(HEAD / 4);
    pauseRedis();
    await traffic.reaches((HEAD * 3) / 4);
    resumeRedis();
    await traffic.writesDone;

    for (const member of MEMBERS) {
      expect(await faults.ledgerPosition(groupId, member)).toBe(positionText(HEAD));
      await eventually(() => expectReadUpTo(HEAD, member));
      await eventually(async () =>
        expect(await faults.cachedText(groupId, member)).toContain(positionText(HEAD)),
      );
    }
  }, 60_000);

  test('calls are right for as long as it hangs', async () => {
    for (const member of MEMBERS) await expectMarked(member, 5);
    pauseRedis();
    for (const position of [6, 7, 8]) {
      for (const member of MEMBERS) {
        await expectMarked(member, position);
        await expectReadUpTo(position, member);
      }
    }
  }, 60_000);

  test('an instance stops asking for a while', async () => {
    await expectReadUpTo(0, 'ann');
    pauseRedis();
    await expectLeftAlone();
  }, 60_000);
});

test('the cache is emptied while all goes on: reads are right at once and it fills again', async () => {
  for (const member of MEMBERS) await expectMarked(member, 11);
  await faults.emptyCache();
  for (const member of MEMBERS) await expectReadUpTo(11, member);
  for (const member of MEMBERS) expect(await faults.cachedText(groupId, member)).toContain(positionText(11));
}, 60_000);

/** Calls one after the other, so that one instance gets them all. */
async function expectLeftAlone(): Promise<void> {
  for (let call = 0; call < 4; call += 1) await expectReadUpTo(0, 'ann', 'watermark alone');
  const before = faults.proxies.upstash.count('readView');
  for (let call = 0; call < FURTHER_CALLS; call += 1) await expectReadUpTo(0, 'ann', 'watermark alone');
  // Now and then it may look whether the cache is back.
  expect(faults.proxies.upstash.count('readView') - before).toBeLessThan(FURTHER_CALLS / 8);
}

async function expectMarked(member: string, messageId: number): Promise<void> {
  const answer = await faults.api.mark(groupId, member, messageId);
  expect(answer).toMatchObject({
    status: 200,
    body: { messageId: String(messageId), unread: { count: HEAD - messageId, exact: true } },
  });
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

interface Traffic {
  /** Resolves once every member has marked this far; rejects when a call was not as it should be. */
  reaches(messageId: number): Promise<void>;
  /** All marks are made and every one of them, as well as every read, was right. */
  readonly done: Promise<unknown>;
  /** All marks are made and were right; the reads may have told an older mark, but none failed. */
  readonly writesDone: Promise<unknown>;
}

/** Each member marks one message after the other and looks after each mark, by two callers: one looks all the time. */
function startTraffic(): Traffic {
  const reached = new Map(MEMBERS.map((member) => [member, 0]));
  const failures: unknown[] = [];
  const stale: unknown[] = [];
  let isOver = false;
  const writers = MEMBERS.map(async (member) => {
    for (let messageId = 1; messageId <= HEAD; messageId += 1) {
      const marked = await faults.api.mark(groupId, member, messageId);
      if (marked.status !== 200 || marked.body.messageId !== String(messageId)) failures.push(marked);
      reached.set(member, messageId);
      note(member, messageId, await faults.api.watermark(groupId, member));
    }
  });
  const readers = MEMBERS.map(async (member) => {
    while (!isOver) {
      const least = reached.get(member) ?? 0;
      note(member, least, await faults.api.watermark(groupId, member));
    }
  });
  const all = Promise.all(writers).finally(() => {
    isOver = true;
  });
  const writesDone = Promise.all([all, ...readers]).then(() => expect(failures).toEqual([]));
  return {
    writesDone,
    done: writesDone.then(() => expect(stale).toEqual([])),
    reaches: (messageId) =>
      eventually(
        () => {
          if (failures.length === 0) expect(Math.min(...reached.values())).toBeGreaterThanOrEqual(messageId);
        },
        { deadlineMs: 40_000 },
      ),
  };

  function note(member: string, least: number, answer: Answer): void {
    const { status, body } = answer;
    if (status !== 200) failures.push({ member, status, body });
    else if (Number(body.messageId) < least) stale.push({ member, least, told: body.messageId });
  }
}

function killRedis(): void {
  const { pid } = faults.stack.description.redis;
  if (pid === null) faults.proxies.upstash.always(() => true, { kind: 'lose request' });
  else process.kill(pid, 'SIGKILL');
}

/** Where the engine is no process, what came before is gone as well. */
async function startEmptyRedis(): Promise<RunningRedis | null> {
  const { pid, url } = faults.stack.description.redis;
  if (pid !== null) {
    const port = Number(new URL(url).port);
    return eventually(() => startRedis({ preferred: 'redis-server', port }));
  }
  await faults.emptyCache();
  faults.proxies.upstash.clear();
  return null;
}

function pauseRedis(): void {
  const { pid } = faults.stack.description.redis;
  if (pid === null) faults.proxies.upstash.always(() => true, { kind: 'hang' });
  else process.kill(pid, 'SIGSTOP');
}

function resumeRedis(): void {
  const { pid } = faults.stack.description.redis;
  if (pid === null) faults.proxies.upstash.clear();
  else process.kill(pid, 'SIGCONT');
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
