import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Connector } from '../../../shared/cache/connector.ts';
import type { CacheCredentials } from '../../../shared/cache/upstash.ts';

const OLD: CacheCredentials = { url: 'https://cache.example', token: 'old' };
const NEW: CacheCredentials = { url: 'https://cache.example', token: 'new' };

/** One read of the secret. The test gives the answer. */
type Read = PromiseWithResolvers<CacheCredentials>;

interface Opened {
  readonly token: string;
}

let reads: Read[];
let connector: Connector<Opened>;

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  reads = [];
  connector = new Connector<Opened>({
    credentials: () => {
      const read = Promise.withResolvers<CacheCredentials>();
      reads.push(read);
      return read.promise;
    },
    open({ token }) {
      if (token === 'malformed') throw new Error('malformed');
      return { token };
    },
    maxWaitMs: 500,
    nowMs: Date.now,
  });
});
afterEach(() => {
  jest.useRealTimers();
});

/** Makes a call. `given` gets its result when there is one. */
function call(): { readonly given: (Opened | null)[] } {
  const given: (Opened | null)[] = [];
  void connector.connection().then((connection) => given.push(connection));
  return { given };
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

async function answer(read: number, credentials: CacheCredentials): Promise<void> {
  reads[read]?.resolve(credentials);
  await pass(0);
}

async function fail(read: number): Promise<void> {
  reads[read]?.reject(new Error('AccessDeniedException'));
  await pass(0);
}

async function opened(): Promise<Opened> {
  const connection = await connector.connection();
  if (!connection) throw new Error('there is no connection');
  return connection;
}

async function openedWith(credentials: CacheCredentials): Promise<Opened> {
  connector.start();
  await answer(reads.length - 1, credentials);
  return opened();
}

describe('a call', () => {
  test('waits for the connection', async () => {
    const { given } = call();
    await pass(499);
    expect(given).toEqual([]);
    await answer(0, OLD);
    expect(given).toEqual([{ token: 'old' }]);
  });

  test('waits for half a second at most', async () => {
    const { given } = call();
    await pass(499);
    expect(given).toEqual([]);
    await pass(1);
    expect(given).toEqual([null]);
  });

  test('does not use up its wait while the instance starts', async () => {
    connector.start();
    await pass(60_000);
    const { given } = call();
    await pass(499);
    expect(given).toEqual([]);
    await answer(0, OLD);
    expect(given).toEqual([{ token: 'old' }]);
    expect(reads).toHaveLength(1);
  });

  test('waits no longer than the first call that waits with it', async () => {
    const first = call();
    await pass(400);
    const second = call();
    await pass(100);
    expect([first.given, second.given]).toEqual([[null], [null]]);
  });

  test('does not wait after another call has waited without success', async () => {
    call();
    await pass(500);
    const later = call();
    await pass(0);
    expect(later.given).toEqual([null]);
    expect(reads).toHaveLength(1);
  });

  test('gets the connection as soon as it is there', async () => {
    call();
    await pass(60_000);
    await answer(0, OLD);
    const { given } = call();
    await pass(0);
    expect(given).toEqual([{ token: 'old' }]);
  });

  test('has only the rest of the connection’s timeout for the reply', async () => {
    call();
    await pass(400);
    await answer(0, OLD);
    expect(connector.leftMs()).toBe(100);
    connector.accept(await opened());
    expect(connector.leftMs()).toBe(Number.POSITIVE_INFINITY);
  });

  test('has the whole timeout for the reply if no call waits for the connection', async () => {
    expect(connector.leftMs()).toBe(Number.POSITIVE_INFINITY);
    call();
    await pass(500);
    await answer(0, OLD);
    expect(connector.leftMs()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe.each([
  ['could not be read', () => fail(0)],
  ['is malformed', () => answer(0, { ...OLD, token: 'malformed' })],
])('a secret that %s', (_what, trouble) => {
  test('ends the wait, and is read again after 3 s', async () => {
    const waiting = call();
    await trouble();
    expect(waiting.given).toEqual([null]);
    await pass(2_999);
    const paused = call();
    await pass(0);
    expect(paused.given).toEqual([null]);
    expect(reads).toHaveLength(1);
    await pass(1);
    call();
    expect(reads).toHaveLength(2);
    await answer(1, OLD);
    expect(await opened()).toEqual({ token: 'old' });
  });

  test('lets no call wait for the second attempt if the first took too long', async () => {
    call();
    await pass(500);
    await trouble();
    await pass(3_000);
    const { given } = call();
    await pass(0);
    expect(given).toEqual([null]);
    expect(reads).toHaveLength(2);
  });
});

describe('refused credentials', () => {
  test('are read again at once, in the background, and calls wait for the new ones', async () => {
    connector.refuse(await openedWith(OLD));
    expect(reads).toHaveLength(2);
    const { given } = call();
    await pass(499);
    expect(given).toEqual([]);
    await answer(1, NEW);
    expect(given).toEqual([{ token: 'new' }]);
  });

  test('are read again after 15 s if the secret still holds them', async () => {
    connector.refuse(await openedWith(OLD));
    await answer(1, OLD);
    await pass(14_999);
    const { given } = call();
    await pass(0);
    expect(given).toEqual([null]);
    expect(reads).toHaveLength(2);
    await pass(1);
    // Upstash may have refused them by mistake.
    expect(await openedWith(OLD)).toEqual({ token: 'old' });
  });

  test('are read again after 15 s if the new ones are refused too', async () => {
    connector.refuse(await openedWith(OLD));
    connector.refuse(await openedWith(NEW));
    await pass(14_999);
    call();
    expect(reads).toHaveLength(2);
    await pass(1);
    call();
    expect(reads).toHaveLength(3);
  });

  test('are read again at once if they had been accepted before', async () => {
    connector.refuse(await openedWith(OLD));
    connector.accept(await openedWith(NEW));
    connector.refuse(await opened());
    expect(reads).toHaveLength(3);
  });

  test('of an earlier connection do not affect a later one', async () => {
    const old = await openedWith(OLD);
    connector.refuse(old);
    connector.refuse(old);
    const current = await openedWith(NEW);
    connector.refuse(old);
    expect(await opened()).toBe(current);
    expect(reads).toHaveLength(2);
  });

  test('stay refused, even if an earlier connection still replies', async () => {
    const old = await openedWith(OLD);
    connector.refuse(old);
    connector.accept(old);
    await answer(1, OLD);
    call();
    expect(reads).toHaveLength(2);
  });
});
