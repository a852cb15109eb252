import { afterEach, describe, expect, test } from '@jest/globals';
import { FunctionPool } from '../../../local/lambda/function-pool.ts';

const pools: FunctionPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.kill()));
});

function aPool(timeoutMs = 10_000): FunctionPool {
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
  const pool = new FunctionPool(definition, () => undefined);
  pools.push(pool);
  return pool;
}

interface Told {
  readonly threadId: number;
  readonly calls: number;
}

async function ask(pool: FunctionPool, event: object = {}): Promise<Told> {
  const result = await pool.invoke(JSON.stringify(event));
  if (!result.ok) throw new Error(result.errorMessage);
  return JSON.parse(result.payload) as Told;
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
    const told = await Promise.all([1, 2, 3].map(() => ask(pool, { wait: 300 })));
    expect(new Set(told.map(({ threadId }) => threadId)).size).toBe(3);
    expect(told.map(({ calls }) => calls)).toEqual([1, 1, 1]);
  });

  test('handles more requests than there may be instances', async () => {
    const pool = aPool();
    const told = await Promise.all(Array.from({ length: 25 }, () => ask(pool, { wait: 20 })));
    expect(told).toHaveLength(25);
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

  test('survives an error that it throws', async () => {
    const pool = aPool();
    await ask(pool);
    expect(await pool.invoke('{"fail":"no"}')).toEqual({
      ok: false,
      errorType: 'TypeError',
      errorMessage: 'no',
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
