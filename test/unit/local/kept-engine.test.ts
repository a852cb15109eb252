import { expect, test } from '@jest/globals';
import type { ExitStatus } from '../../../local/engines/guarded-process.ts';
import { KeptEngine } from '../../../local/engines/kept-engine.ts';
import { eventually } from '../../support/engines.ts';

/** An engine that a test can end. */
function anEngine(pid: number) {
  const { promise: exited, resolve } = Promise.withResolvers<ExitStatus>();
  const calls: string[] = [];
  return {
    ...{ pid, exited, calls },
    end: (code = 1) => resolve({ code, signal: null }),
    async stop() {
      calls.push('stop');
      resolve({ code: 0, signal: null });
    },
  };
}

type Engine = ReturnType<typeof anEngine>;

interface Setting {
  readonly starts?: (() => Promise<Engine>)[];
  readonly livedMs?: number;
}

function kept({ starts = [], livedMs = 0 }: Setting = {}) {
  const pauses: number[] = [];
  const lines: string[] = [];
  const changes: number[] = [];
  const first = anEngine(1);
  let started = 1;
  let now = 0;
  const engine = new KeptEngine('the engine', first, {
    startAgain: async () => {
      started += 1;
      now += livedMs;
      return starts.length > 0 ? (starts.shift()?.() ?? anEngine(started)) : anEngine(started);
    },
    log: (line) => lines.push(line),
    changed: ({ pid }) => changes.push(pid),
    wait: async (ms) => {
      pauses.push(ms);
    },
    nowMs: () => now,
  });
  return { engine, first, pauses, lines, changes, passes: (ms: number) => (now += ms) };
}

test('an engine that ends is started again, which is logged in one line', async () => {
  const { engine, first, lines, changes } = kept();
  first.end(137);
  await eventually(() => expect(engine.current.pid).toBe(2));
  expect(lines).toEqual(['the engine ended with 137 and was started again (process 2)']);
  expect(changes).toEqual([2]);
  await engine.stop();
});

test('the pauses grow up to half a minute while it keeps ending, and are short again after it ran long', async () => {
  const { engine, pauses, passes } = kept();
  for (let ends = 1; ends <= 12; ends += 1) {
    engine.current.end();
    await eventually(() => expect(engine.current.pid).toBe(ends + 1));
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
  passes(60_000);
  engine.current.end();
  await eventually(() => expect(engine.current.pid).toBe(14));
  expect(pauses.at(-1)).toBe(100);
  await engine.stop();
});

test('a start that fails is logged, and tried again after a longer pause', async () => {
  const fails = async () => {
    throw new Error('the port is taken');
  };
  const { engine, first, pauses, lines } = kept({ starts: [fails, fails] });
  first.end(1);
  await eventually(() => expect(engine.current.pid).toBe(4));
  expect(pauses).toEqual([100, 200, 400]);
  expect(lines).toEqual([
    'the engine ended with 1 and cannot be started again yet: the port is taken',
    'the engine ended with 1 and cannot be started again yet: the port is taken',
    'the engine ended with 1 and was started again (process 4)',
  ]);
  await engine.stop();
});

test('a stopped engine is not started again', async () => {
  const { engine, first, lines, changes } = kept();
  await engine.stop();
  expect(first.calls).toEqual(['stop']);
  expect(lines).toEqual([]);
  expect(changes).toEqual([]);
});

test('if it is stopped during a new start, the new engine is stopped too', async () => {
  const second = anEngine(2);
  const starting = Promise.withResolvers<Engine>();
  const { engine, first, lines, changes } = kept({ starts: [() => starting.promise] });
  first.end();
  await eventually(() => expect(engine.isRestarting).toBe(true));
  const stopping = engine.stop();
  starting.resolve(second);
  await stopping;
  expect(second.calls).toEqual(['stop']);
  expect(lines).toEqual([]);
  expect(changes).toEqual([]);
});
