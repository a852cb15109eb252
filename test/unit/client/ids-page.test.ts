import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  messageIdFromObjectId,
  messageIdFromTime,
  messageIdFromUlid,
  messageIdFromUuidV7,
} from '../../../client/src/ids.ts';
import { codeOf, type PageCode } from '../../support/page-code.ts';

// The figures of docs/ids.md, and its code.

interface Odds {
  burstOdds(messages: number): number;
  daysBetween(messagesPerSecond: number, tickMs?: number): number;
}
interface Assigning {
  assignMessageId(store: Store, groupId: string, ownId: string, derivedId: string): Promise<string>;
}
interface Store {
  claim(groupId: string, messageId: string, ownId: string): Promise<string>;
}

const text = readFileSync(new URL('../../../docs/ids.md', import.meta.url), 'utf8');
let page: PageCode;
beforeAll(async () => {
  page = await codeOf('ids.md');
});
afterAll(() => page.remove());

/** The cells of the table whose first column has this head. */
function rowsOf(head: string): string[][] {
  const [, ...rows] =
    text
      .slice(text.indexOf(`| ${head} |`))
      .split('\n\n', 1)[0]
      ?.split('\n') ?? [];
  return rows.slice(1).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test('the ids of the page are those that its code derives', async () => {
  const { derived } = await page.load<{ derived: string[] }>('derive.mjs');
  const shown = /^```text derived\n(.*?)^```$/ms.exec(text)?.[1]?.trim().split('\n');
  expect(derived).toHaveLength(5);
  expect(derived).toEqual(shown);
  const readme = readFileSync(new URL('../../../client/README.md', import.meta.url), 'utf8');
  expect(readme).toContain(`messageIdFromUuidV7('019fbd32-0600-7cc3-98c4-dc0c0c07398f'); // '${derived[0]}'`);
});

test('the time of an id is what the page says', () => {
  const timeOf = (id: string) => Number(BigInt(id) >> 22n) + 946684800000;
  expect(timeOf(messageIdFromTime(1_785_585_600_123, 'x'))).toBe(1_785_585_600_123);
  expect(BigInt(messageIdFromTime(Date.UTC(2069, 8, 6), 4_194_303))).toBeLessThan(2n ** 63n);
  expect(BigInt(messageIdFromTime(Date.UTC(2069, 8, 7), 0))).toBeGreaterThan(2n ** 63n);
  expect(messageIdFromTime(Date.UTC(2139, 4, 15), 0)).toMatch(/^\d{20}$/);
  expect(() => messageIdFromTime(Date.UTC(2139, 4, 16), 0)).toThrow(TypeError);
});

describe('the odds of a collision', () => {
  const VALUES = 4_194_304;
  /** The exact probability that so many random ids of one tick are not all different. */
  function anyEqual(count: number): number {
    let allDifferent = 1;
    for (let taken = 1; taken < count; taken++) allDifferent *= 1 - taken / VALUES;
    return 1 - allDifferent;
  }
  /** The exact probability of a collision in a tick with a random number of messages, on average so many. */
  function anyEqualInTick(mean: number): number {
    let sum = 0;
    let probability = Math.exp(-mean);
    for (let count = 1; count < 20 + 5 * mean; count++) {
      probability *= mean / count;
      sum += probability * anyEqual(count);
    }
    return sum;
  }

  test('of a burst are those of the page, and of its code', async () => {
    const { burstOdds } = await page.load<Odds>('odds.mjs');
    const rows = rowsOf('messages in the same millisecond');
    expect(rows.map(([count]) => count)).toEqual(['2', '10', '100', '1,000']);
    for (const [messages = '', odds = ''] of rows) {
      const count = Number(messages.replace(',', ''));
      const exact = anyEqual(count);
      expect(odds).toBe(`1 in ${Math.round(1 / exact).toLocaleString('en')}`);
      expect(burstOdds(count) / exact).toBeCloseTo(1, 3);
    }
  });

  test('of a steady group are those of the page, and of its code', async () => {
    const { daysBetween } = await page.load<Odds>('odds.mjs');
    const days: Readonly<Record<string, number>> = {
      years: 365.25,
      days: 1,
      hours: 1 / 24,
      minutes: 1 / 1440,
    };
    const rows = rowsOf('messages a second in one group, day and night');
    expect(rows.map(([rate]) => rate)).toEqual(['0.1', '1', '10', '100']);
    for (const [rate = '', ...cells] of rows) {
      for (const [index, tickMs] of [1, 1_000].entries()) {
        const exact = tickMs / 86_400_000 / anyEqualInTick((Number(rate) * tickMs) / 1_000);
        const [amount = '', unit = ''] = cells[index]?.split(' ') ?? [];
        const shown = Number(amount.replace(',', '')) * (days[unit] ?? Number.NaN);
        expect(Math.abs(shown / exact - 1)).toBeLessThan(0.03);
        expect(daysBetween(Number(rate), tickMs) / exact).toBeCloseTo(1, 2);
      }
    }
  });
});

describe('ids of one tick, made as generators make them', () => {
  const MS = 1_785_585_600_000;
  /** Random bits from a fixed seed: a linear congruential generator, of which the upper bits are used. */
  function randomBits(seed: number): (bits: number) => bigint {
    let state = BigInt(seed);
    const next = () => {
      state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
      return state >> 32n;
    };
    return (bits) => {
      let value = 0n;
      for (let filled = 0; filled < bits; filled += 32) value = (value << 32n) | next();
      return BigInt.asUintN(bits, value);
    };
  }
  const inHex = (value: bigint | number, digits: number) => value.toString(16).padStart(digits, '0');
  const uuidOf = (tail: bigint) => {
    const randB = inHex((2n << 62n) | BigInt.asUintN(62, tail), 16);
    return `019fbd32-0600-7${inHex(tail >> 62n, 3)}-${randB.slice(0, 4)}-${randB.slice(4)}`;
  };
  const ulidOf = (tail: bigint) => {
    const digit = (at: number) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Number((tail >> BigInt(at)) & 31n)];
    return `01KYYK41G0${Array.from({ length: 16 }, (_, index) => digit(75 - 5 * index)).join('')}`;
  };
  const uuidV4Of = (bits: bigint) => `${inHex(bits >> 64n, 16)}-${inHex(BigInt.asUintN(64, bits), 16)}`;

  /** The pairs of equal ids. */
  function collisions(ids: readonly string[]): number {
    const seen = new Map<string, number>();
    let pairs = 0;
    for (const id of ids) {
      const before = seen.get(id) ?? 0;
      pairs += before;
      seen.set(id, before + 1);
    }
    return pairs;
  }
  const many = (make: (index: number) => string, count = 20_000) =>
    Array.from({ length: count }, (_, index) => make(index));

  // Of 20,000 messages, 47.7 pairs collide on average at 1 in 4,194,304; 20 to 75 is four deviations.
  const bits = randomBits(14);
  const counterOf = (counterBits: number) => {
    const start = bits(counterBits - 1);
    return (index: number) => ((start + BigInt(index)) << BigInt(74 - counterBits)) | bits(74 - counterBits);
  };
  test.each<readonly [string, () => readonly string[]]>([
    ['a time and random texts', () => many(() => messageIdFromTime(MS, uuidV4Of(bits(128))))],
    ['random UUIDs', () => many(() => messageIdFromUuidV7(uuidOf(bits(74))))],
    ['random UUIDs, with counterBits of 12', () => many(() => messageIdFromUuidV7(uuidOf(bits(74)), 12))],
    ['random UUIDs, with counterBits of 42', () => many(() => messageIdFromUuidV7(uuidOf(bits(74)), 42))],
    [
      'UUIDs of one process with a counter of 32 bits, without counterBits',
      () => {
        const tail = counterOf(32);
        return many((index) => messageIdFromUuidV7(uuidOf(tail(index))));
      },
    ],
    [
      'UUIDs of one process with a counter of 42 bits, without counterBits',
      () => {
        const tail = counterOf(42);
        return many((index) => messageIdFromUuidV7(uuidOf(tail(index))));
      },
    ],
    ['random ULIDs', () => many(() => messageIdFromUlid(ulidOf(bits(80))))],
  ])('%s: a pair collides about once in 4,194,304', (_name, idsOfTick) => {
    const found = collisions(idsOfTick());
    expect(found).toBeGreaterThanOrEqual(20);
    expect(found).toBeLessThanOrEqual(75);
  });

  test.each<readonly [string, () => readonly string[]]>([
    ['a counter', () => many((index) => messageIdFromTime(MS, index))],
    [
      'UUIDs of one process with a counter of 32 bits',
      () => {
        const tail = counterOf(32);
        return many((index) => messageIdFromUuidV7(uuidOf(tail(index)), 32));
      },
    ],
    [
      'UUIDs of one process with a finer time',
      () => many((index) => messageIdFromUuidV7(uuidOf((BigInt(index) << 62n) | bits(62)), 12), 4_096),
    ],
    [
      'ULIDs of one monotonic generator',
      () => {
        const start = bits(79);
        return many((index) => messageIdFromUlid(ulidOf(start + BigInt(index))));
      },
    ],
    [
      'ObjectIds of one process',
      () => {
        const process = inHex(bits(40), 10);
        const start = Number(bits(24));
        return many((index) =>
          messageIdFromObjectId(`6a6ddfc0${process}${inHex((start + index) % 2 ** 24, 6)}`),
        );
      },
    ],
  ])('%s: no pair collides', (_name, idsOfTick) => {
    expect(collisions(idsOfTick())).toBe(0);
  });

  test('UUIDs of one process that adds 1 to the last bits, without counterBits: a pair collides no more often', () => {
    const start = bits(73);
    const ids = many((index) => messageIdFromUuidV7(uuidOf(start + BigInt(index))));
    expect(collisions(ids)).toBeLessThanOrEqual(75);
  });

  test('a number of counterBits that is too small makes most UUIDs of one process collide', () => {
    const tail = counterOf(32);
    const ids = many((index) => messageIdFromUuidV7(uuidOf(tail(index)), 12), 1_000);
    expect(new Set(ids).size).toBeLessThanOrEqual(2);
  });

  test('ObjectIds of different processes: a pair collides once in 4.1 thousand million', () => {
    // Two processes share one of 250 counters once in 244.5; their counters are then equal once in 2^24.
    const slots = Array.from({ length: 256 }, (_, byte) =>
      messageIdFromObjectId(`6a6ddfc0${inHex(byte, 2)}12345678000000`),
    );
    expect(new Set(slots).size).toBe(250);
    const sharing = collisions(slots) * 2 + slots.length;
    expect((256 ** 2 / sharing) * 2 ** 24).toBeCloseTo(4.1e9, -8);
    const ofOneSlot = (): string =>
      messageIdFromObjectId(`6a6ddfc07f${inHex(bits(32), 8)}${inHex(bits(24), 6)}`);
    const found = collisions(many(ofOneSlot, 40_000));
    expect(found).toBeGreaterThanOrEqual(20);
    expect(found).toBeLessThanOrEqual(75);
  });
});

describe('assigning ids', () => {
  function storeInMemory(): Store & { readonly ids: ReadonlyMap<string, string> } {
    const ids = new Map<string, string>();
    return {
      ids,
      claim: async (groupId, messageId, ownId) => {
        const key = `${groupId} ${messageId}`;
        if (!ids.has(key)) ids.set(key, ownId);
        return ids.get(key) ?? '';
      },
    };
  }

  test('gives each message an id of its own, and the same one each time', async () => {
    const { assignMessageId } = await page.load<Assigning>('assign.mjs');
    const store = storeInMemory();
    const assign = (ownId: string, groupId = 'tea') =>
      assignMessageId(store, groupId, ownId, '3518604981043200042');
    expect(await assign('a')).toBe('3518604981043200042');
    expect(await assign('b')).toBe('3518604981043200043');
    expect(await Promise.all([assign('c'), assign('d')])).toEqual(
      expect.arrayContaining(['3518604981043200044', '3518604981043200045']),
    );
    expect(await assign('b')).toBe('3518604981043200043');
    expect(await assign('a')).toBe('3518604981043200042');
    expect(await assign('b', 'coffee')).toBe('3518604981043200042');
    expect(store.ids.size).toBe(5);
  });
});
