import { afterEach, describe, expect, test } from '@jest/globals';
import { FunctionPool } from '../../../local/aws/lambda/function-pool.ts';
import { InstanceSlots } from '../../../local/aws/lambda/instance-slots.ts';
import { eventually } from '../../support/engines.ts';

const pools: FunctionPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.kill()));
});

function aPool(timeoutMs = 10_000, slots?: InstanceSlots): FunctionPool {
  const bundle = new URL('./fixtures/probe.mjs', import.meta.url).href;
  const environment = { PROBE: 'yes' };
  const definition = {
    name: 'probe',
    arn: 'arn:probe',
    bundle,
    exportName: 'handler',
    memoryMb: 128,
    timeoutMs,
    environment,
  };
  const pool = new FunctionPool(definition, () => undefined, slots);
  pools.push(pool);
  return pool;
}

interface Reply {
  readonly threadId: number;
  readonly calls: number;
}

async function ask(pool: FunctionPool, event: object = {}): Promise<Reply> {
  const result = await pool.invoke(JSON.stringify(event));
  if (!result.ok) throw new Error(result.errorMessage);
  return JSON.parse(result.payload) as Reply;
}

describe('a function', () => {
  test('has the environment that it was given and no other', async () => {
    expect(await ask(aPool())).toMatchObject({ variable: 'yes', path: null, name: 'probe' });
  });

  test('keeps its state from one request to the next', async () => {
    const pool = aPool();
    const first = await ask(pool);
    expect(await ask(pool)).toMatchObject({ threadId: first.threadId, calls: 2 });
    expect(pool.size).toBe(1);
  });

  test('runs in as many instances as there are requests at once, each with its own state', async () => {
    const pool = aPool();
    const replies = await Promise.all([1, 2, 3].map(() => ask(pool, { wait: 1_500 })));
    expect(new Set(replies.map(({ threadId }) => threadId)).size).toBe(3);
    expect(replies.map(({ calls }) => calls)).toEqual([1, 1, 1]);
  });

  test('handles more requests than there may be instances', async () => {
    const pool = aPool();
    const replies = await Promise.all(Array.from({ length: 25 }, () => ask(pool, { wait: 20 })));
    expect(replies).toHaveLength(25);
    expect(pool.size).toBe(10);
  });

  test('is killed when it takes too long, even where it never yields', async () => {
    const pool = aPool(300);
    expect(await pool.invoke('{"spin":true}')).toEqual({
      ok: false,
      errorType: 'Sandbox.Timedout',
      errorMessage: 'Task timed out after 0.30 seconds',
    });
    expect(await ask(pool)).toMatchObject({ calls: 1 });
  });

  test('fails the request in which it crashes, and is replaced', async () => {
    const pool = aPool();
    const { threadId } = await ask(pool);
    expect(await pool.invoke('{"exit":true}')).toMatchObject({ ok: false, errorType: 'Runtime.ExitError' });
    const next = await ask(pool);
    expect(next.calls).toBe(1);
    expect(next.threadId).not.toBe(threadId);
  });

  test('reports what it has used: each invocation, and the processor time of those that work', async () => {
    const pool = aPool(300);
    await ask(pool);
    await ask(pool);
    const idle = pool.usage;
    expect(idle).toMatchObject({ invocations: 2, logBytes: 0 });
    // It spins until it is killed, and so cannot report what it used.
    await pool.invoke('{"spin":true}');
    expect(pool.usage).toEqual({ ...idle, invocations: 3 });
    expect(idle.cpuMs).toBeGreaterThan(0);
  });

  test('survives an error that it throws', async () => {
    const pool = aPool();
    await ask(pool);
    expect(await pool.invoke('{"fail":"no"}')).toEqual({
      ok: false,
      errorType: 'TypeError',
      errorMessage: 'no',
      cpuMs: expect.any(Number),
    });
    expect(await ask(pool)).toMatchObject({ calls: 3 });
  });

  test('may answer 6,291,556 bytes and no more', async () => {
    const pool = aPool();
    expect(await pool.invoke('{"answerBytes":6291556}')).toMatchObject({ ok: true });
    expect(await pool.invoke('{"answerBytes":6291558}')).toEqual({
      ok: false,
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
    expect(await ask(pool)).toMatchObject({ calls: 3 });
  });

  test('that cannot start fails its requests', async () => {
    const missing = new URL('./fixtures/missing.mjs', import.meta.url).href;
    const environment = {};
    const definition = {
      name: 'x',
      arn: 'arn:x',
      bundle: missing,
      exportName: 'handler',
      memoryMb: 128,
      timeoutMs: 1_000,
      environment,
    };
    const pool = new FunctionPool(definition, () => undefined);
    pools.push(pool);
    expect(await pool.invoke('{}')).toMatchObject({ ok: false });
  });

  test('killed in the middle fails what it was doing', async () => {
    const pool = aPool();
    await ask(pool);
    const request = pool.invoke('{"wait":60000}');
    await pool.kill();
    expect(await request).toMatchObject({ ok: false, errorType: 'Runtime.ExitError' });
    expect(await ask(pool)).toMatchObject({ calls: 1 });
  });
});

describe('functions that share the machine', () => {
  const sharing = (count: number, slots: InstanceSlots) =>
    Array.from({ length: count }, () => aPool(10_000, slots));
  const total = (shared: readonly FunctionPool[]) => shared.reduce((sum, { size }) => sum + size, 0);

  test('have no more instances together than there are slots, and every request is answered', async () => {
    const shared = sharing(3, new InstanceSlots(4));
    const totals: number[] = [];
    const asked = Array.from({ length: 16 }, () => shared)
      .flat()
      .map(async (pool) => {
        const reply = await ask(pool, { wait: 5 });
        totals.push(total(shared));
        return reply;
      });
    expect(await Promise.all(asked)).toHaveLength(48);
    expect(Math.max(...totals)).toBe(4);
  });

  test('take the slot of the instance that has been idle for longest', async () => {
    const [first, second, third] = threeOf(new InstanceSlots(2));
    await ask(first);
    const kept = await ask(second);
    await ask(third);
    expect([first.size, second.size, third.size]).toEqual([0, 1, 1]);
    expect(await ask(second)).toMatchObject({ threadId: kept.threadId, calls: 2 });
  });

  test('leave a busy instance alone until its request is answered', async () => {
    const [first, second] = threeOf(new InstanceSlots(1));
    await ask(first);
    const busy = ask(first, { wait: 200 });
    const waiting = ask(second);
    expect(await busy).toMatchObject({ calls: 2 });
    expect(await waiting).toMatchObject({ calls: 1 });
    expect([first.size, second.size]).toEqual([0, 1]);
  });

  test('let a function with none have its turn, however much another one has to do', async () => {
    const [busy, other] = threeOf(new InstanceSlots(2));
    let answered = 0;
    const queue = Array.from({ length: 200 }, () =>
      ask(busy, { wait: 5 }).then(() => {
        answered += 1;
      }),
    );
    await eventually(() => expect(answered).toBeGreaterThan(2));
    await ask(other);
    expect(answered).toBeLessThan(200);
    await Promise.all(queue);
  });

  test('have the slot back of an instance that crashed, was killed, or could not start', async () => {
    const slots = new InstanceSlots(1);
    const [first, second] = threeOf(slots);
    await first.invoke('{"exit":true}');
    expect(await ask(second)).toMatchObject({ calls: 1 });

    const killed = second.invoke('{"wait":60000}');
    await second.kill();
    expect(await killed).toMatchObject({ ok: false });
    expect(await ask(first)).toMatchObject({ calls: 1 });

    const bundle = new URL('./fixtures/missing.mjs', import.meta.url).href;
    const broken = new FunctionPool({ ...first.definition, bundle }, () => undefined, slots);
    pools.push(broken);
    expect(await broken.invoke('{}')).toMatchObject({ ok: false });
    expect(await ask(second)).toMatchObject({ calls: 1 });
  });

  function threeOf(slots: InstanceSlots): [FunctionPool, FunctionPool, FunctionPool] {
    return [aPool(10_000, slots), aPool(10_000, slots), aPool(10_000, slots)];
  }
});
