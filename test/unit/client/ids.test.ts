import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  messageIdFromObjectId,
  messageIdFromTime,
  messageIdFromUlid,
  messageIdFromUuidV7,
} from '../../../client/src/ids.ts';

const LARGEST = 18446744073709551615n;
/** The milliseconds of ids: after 1 January 2000, and until May 2139. */
const FIRST_MS = 946_684_800_001;
const LAST_MS = 5_344_731_311_102;

const times = fc.integer({ min: FIRST_MS, max: LAST_MS });
const hexDigits = (length: number) =>
  fc.bigInt({ min: 0n, max: 16n ** BigInt(length) - 1n }).map((value) => inHex(value, length));
const counters = fc.integer({ min: 0, max: 4_194_303 });

const inHex = (value: bigint | number, length: number) => value.toString(16).padStart(length, '0');

/** A UUIDv7 of a time and the 74 bits behind it. */
function uuidOf(createdMs: number, tail: bigint): string {
  const time = inHex(createdMs, 12);
  const randB = inHex((0b10n << 62n) | (tail & (2n ** 62n - 1n)), 16);
  const randA = inHex(tail >> 62n, 3);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randA}-${randB.slice(0, 4)}-${randB.slice(4)}`;
}
const tails = fc.bigInt({ min: 0n, max: 2n ** 74n - 1n });

/** A ULID of a time and the 80 bits behind it. */
function ulidOf(createdMs: number, tail: bigint): string {
  let value = (BigInt(createdMs) << 80n) | tail;
  let text = '';
  for (let digit = 0; digit < 26; digit++) {
    text = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return text;
}
const ulidTails = fc.bigInt({ min: 0n, max: 2n ** 80n - 1n });

const objectIdOf = (seconds: number, process: string, counter: number) =>
  inHex(seconds, 8) + process + inHex(counter, 6);
const processes = hexDigits(10);

/** All helpers, each with what it derives an id from, at a given time. */
const HELPERS = {
  'a time with a counter': (ms: number, tail: bigint) => messageIdFromTime(ms, Number(tail & 0x3fffffn)),
  'a time with a text': (ms: number, tail: bigint) => messageIdFromTime(ms, inHex(tail, 20)),
  'a UUIDv7': (ms: number, tail: bigint) => messageIdFromUuidV7(uuidOf(ms, tail)),
  'a UUIDv7 with a counter': (ms: number, tail: bigint) => messageIdFromUuidV7(uuidOf(ms, tail), 42),
  'a ULID': (ms: number, tail: bigint) => messageIdFromUlid(ulidOf(ms, tail)),
};

describe.each(Object.entries(HELPERS))('an id from %s', (_name, idAt) => {
  test('is an id, and the same one each time', () => {
    fc.assert(
      fc.property(times, tails, (ms, tail) => {
        const id = idAt(ms, tail);
        expect(id).toMatch(/^[1-9]\d{0,19}$/);
        expect(BigInt(id)).toBeLessThan(LARGEST);
        expect(idAt(ms, tail)).toBe(id);
      }),
    );
    for (const tail of [0n, 2n ** 74n - 1n]) {
      expect(BigInt(idAt(FIRST_MS, tail))).toBeGreaterThan(0n);
      expect(BigInt(idAt(LAST_MS, tail))).toBeLessThan(LARGEST);
    }
  });

  test('grows with the millisecond, whatever is behind it', () => {
    const later = fc.tuple(times, times).filter(([one, other]) => one !== other);
    fc.assert(
      fc.property(later, tails, tails, (pair, tail, otherTail) => {
        const [ms, laterMs] = pair.toSorted((a, b) => a - b);
        expect(BigInt(idAt(Number(ms), tail))).toBeLessThan(BigInt(idAt(Number(laterMs), otherTail)));
      }),
    );
    expect(BigInt(idAt(1_700_000_000_000, 2n ** 74n - 1n))).toBeLessThan(BigInt(idAt(1_700_000_000_001, 0n)));
  });

  test.each([FIRST_MS - 1, LAST_MS + 1, 1_700_000_000, 0])('is refused at %d ms', (ms) => {
    expect(() => idAt(ms, 7n)).toThrow(TypeError);
    expect(() => idAt(ms, 7n)).toThrow(
      `the time must be from 946684800001 to 5344731311102 ms since 1970: ${ms}`,
    );
  });
});

test('all ids have one scale: those of a later second are larger, whatever they are derived from', () => {
  const kinds = [
    ...Object.values(HELPERS),
    (ms: number, tail: bigint) =>
      messageIdFromObjectId(inHex(Math.floor(ms / 1_000), 8) + inHex(tail % 2n ** 64n, 16)),
  ];
  const kind = fc.constantFrom(...kinds);
  // The seconds of ObjectIds end in 2106.
  const seconds = fc.integer({ min: 946_684_801, max: 4_294_967_294 });
  const ms = fc.integer({ min: 0, max: 999 });
  fc.assert(
    fc.property(kind, kind, seconds, ms, ms, tails, tails, (one, other, second, a, b, tail, otherTail) => {
      const id = BigInt(one(second * 1_000 + a, tail));
      expect(id).toBeLessThan(BigInt(other((second + 1) * 1_000 + b, otherTail)));
    }),
  );
});

// They must never change: a chat may derive an id again, in another language too.
test.each([
  [messageIdFromTime(946_684_800_001, 0), '4194304'],
  [messageIdFromTime(1_785_585_600_000, 0), '3518604981043200000'],
  [messageIdFromTime(1_785_585_600_000, 4_194_303), '3518604981047394303'],
  [messageIdFromTime(1_785_585_600_000, 'a'), '3518604981043997372'],
  [messageIdFromTime(1_785_585_600_000, 'é'), '3518604981045160123'],
  [messageIdFromTime(5_344_731_311_102, 4_194_303), '18446744073705357311'],
  [messageIdFromUuidV7('017f22e2-79b0-7cc3-98c4-dc0c0c07398f'), '2931285576123824454'],
  [messageIdFromUuidV7('017F22E2-79B0-7CC3-98C4-DC0C0C07398F'), '2931285576123824454'],
  [messageIdFromUuidV7('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 12), '2931285576125713804'],
  [messageIdFromUuidV7('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 32), '2931285576125919543'],
  [messageIdFromUuidV7('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 42), '2931285576122686476'],
  [messageIdFromUuidV7('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 74), '2931285576122841487'],
  [messageIdFromUlid('01ARZ3NDEKTSV4RRFFQ69G5FAV'), '2194619447153704283'],
  [messageIdFromUlid('01arz3ndektsv4rrffq69g5fav'), '2194619447153704283'],
  [messageIdFromObjectId('507f1f77bcf86cd799439011'), '1693758973209186321'],
  [messageIdFromObjectId('507F1F77BCF86CD799439011'), '1693758973209186321'],
])('%s is the id', (id, expected) => {
  expect(id).toBe(expected);
});

describe('within one millisecond', () => {
  const nextTo = (id: string) => String(BigInt(id) + 1n);

  test('a counter beside the time keeps its order, and no two collide', () => {
    fc.assert(
      fc.property(times, counters, counters, (ms, one, other) => {
        const [a, b] = [messageIdFromTime(ms, one), messageIdFromTime(ms, other)];
        expect(Math.sign(Number(BigInt(a) - BigInt(b)))).toBe(Math.sign(one - other));
      }),
    );
  });

  test('ULIDs of a monotonic generator keep their order', () => {
    fc.assert(
      fc.property(times, ulidTails, (ms, tail) => {
        // Where the last 22 bits of the generator begin again at 0, the order breaks once.
        fc.pre((tail & 0x3fffffn) !== 0x3fffffn);
        expect(messageIdFromUlid(ulidOf(ms, tail + 1n))).toBe(nextTo(messageIdFromUlid(ulidOf(ms, tail))));
      }),
    );
  });

  test('UUIDs with a finer time or a counter of 12 bits keep their order, whatever library makes them', () => {
    fc.assert(
      fc.property(times, tails, tails, (ms, one, other) => {
        const idOf = (tail: bigint) => BigInt(messageIdFromUuidV7(uuidOf(ms, tail), 12));
        const [lower, upper] = one < other ? [one, other] : [other, one];
        expect(idOf(lower)).toBeLessThanOrEqual(idOf(upper));
      }),
    );
  });

  test.each([32, 42, 74])('UUIDs with a counter of %d bits keep the order of the counter', (counterBits) => {
    const random = 74n - BigInt(counterBits);
    const counter = fc.bigInt({ min: 0n, max: 2n ** BigInt(counterBits) - 2n });
    fc.assert(
      fc.property(times, counter, tails, tails, (ms, count, tail, otherTail) => {
        fc.pre((count & 0x3fffffn) !== 0x3fffffn);
        const idAt = (value: bigint, noise: bigint) =>
          messageIdFromUuidV7(uuidOf(ms, (value << random) | (noise & (2n ** random - 1n))), counterBits);
        expect(idAt(count + 1n, otherTail)).toBe(nextTo(idAt(count, tail)));
      }),
    );
  });
});

describe('within one second', () => {
  const seconds = fc.integer({ min: 946_684_801, max: 4_294_967_295 });
  const objectCounters = fc.integer({ min: 0, max: 2 ** 24 - 1 });

  test('ObjectIds of one process keep their order, and no two collide', () => {
    fc.assert(
      fc.property(seconds, processes, objectCounters, objectCounters, (second, process, one, other) => {
        const idAt = (counter: number) => BigInt(messageIdFromObjectId(objectIdOf(second, process, counter)));
        expect(Number(idAt(one) - idAt(other))).toBe(one - other);
      }),
    );
  });

  test('ObjectIds of two processes keep the order of the ObjectIds, if their first bytes differ by two', () => {
    const byte = fc.integer({ min: 0, max: 253 });
    const rest = hexDigits(8);
    fc.assert(
      fc.property(
        seconds,
        byte,
        rest,
        rest,
        objectCounters,
        objectCounters,
        (second, first, a, b, one, other) => {
          const lower = objectIdOf(second, inHex(first, 2) + a, one);
          const upper = objectIdOf(second, inHex(first + 2, 2) + b, other);
          expect(BigInt(messageIdFromObjectId(lower))).toBeLessThan(BigInt(messageIdFromObjectId(upper)));
        },
      ),
    );
  });

  test('an ObjectId stays within its second', () => {
    const id = (objectId: string) => BigInt(messageIdFromObjectId(objectId));
    const next = '507f1f780000000000000000';
    expect(id('507f1f77ffffffffffffffff')).toBe(id(next) - 1n);
    expect(id('ffffffffffffffffffffffff')).toBeLessThan(LARGEST);
    expect(() => messageIdFromObjectId('386d438000000000000000ff')).toThrow(
      'the time must be from 946684800001 to 5344731311102 ms since 1970: 946684800000',
    );
  });
});

describe('a TypeError says what is wrong', () => {
  const refused: readonly (readonly [call: () => string, message: string])[] = [
    ...[1.5, Number.NaN, Number.POSITIVE_INFINITY, '1785585600000', 1785585600000n, null, undefined].map(
      (value) =>
        [
          () => messageIdFromTime(value as number, 0),
          `createdMs must be an integer of milliseconds: ${value}`,
        ] as const,
    ),
    ...[-1, 4_194_304, 0.5, Number.NaN, '', null, undefined, 7n, {}].map(
      (value) =>
        [
          () => messageIdFromTime(1_785_585_600_000, value as number),
          `tieBreaker must be a text, or an integer from 0 to 4194303: ${value}`,
        ] as const,
    ),
    ...[
      '017f22e2-79b0-4cc3-98c4-dc0c0c07398f',
      '017f22e2-79b0-7cc3-18c4-dc0c0c07398f',
      '017f22e2-79b0-7cc3-d8c4-dc0c0c07398f',
      '017f22e279b07cc398c4dc0c0c07398f',
      '{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}',
      '017f22e2-79b0-7cc3-98c4-dc0c0c07398g',
      '017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n',
      '',
      7,
      null,
      undefined,
    ].map(
      (value) =>
        [() => messageIdFromUuidV7(value as string), `uuid must be a UUID of version 7: ${value}`] as const,
    ),
    ...[0, 75, 1.5, '12', null].map(
      (value) =>
        [
          () => messageIdFromUuidV7('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', value as number),
          `counterBits must be an integer from 1 to 74: ${value}`,
        ] as const,
    ),
    ...[
      '81ARZ3NDEKTSV4RRFFQ69G5FAV',
      '01ARZ3NDEKTSV4RRFFQ69G5FA',
      '01ARZ3NDEKTSV4RRFFQ69G5FAVV',
      '01ARZ3NDEKTSV4RRFFQ69G5FAI',
      '01ARZ3NDEKTSV4RRFFQ69G5FAU',
      // Its upper case is an S.
      '01ARZ3NDEKT\u017FV4RRFFQ69G5FAV',
      '',
      7,
      null,
    ].map((value) => [() => messageIdFromUlid(value as string), `ulid must be a ULID: ${value}`] as const),
    ...['507f1f77bcf86cd79943901', '507f1f77bcf86cd7994390111', '507f1f77bcf86cd79943901g', '', 7, null].map(
      (value) =>
        [
          () => messageIdFromObjectId(value as string),
          `objectId must be an ObjectId of 24 hexadecimal digits: ${value}`,
        ] as const,
    ),
  ];

  test.each(refused.map(([call, message]) => [message, call] as const))('%s', (message, call) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  });
});
