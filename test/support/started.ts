import { afterAll, beforeAll } from '@jest/globals';

/**
 * Starts something before the tests of a file, or of a `describe`, and stops it after them. What this returns stands
 * for what was started from the first test on, and in the hooks that are declared further down.
 */
export function startedForTests<T extends { stop(): Promise<void> }>(start: () => Promise<T>): T {
  let started: T | undefined;
  beforeAll(async () => {
    started = await start();
  }, 180_000);
  afterAll(() => started?.stop());
  return new Proxy({} as T, {
    get(_target, name) {
      if (!started) throw new Error('nothing is started before the hooks of the tests run');
      return Reflect.get(started, name);
    },
  });
}
