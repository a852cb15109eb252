/**
 * Message ids for chats whose own ids are not 64-bit integers. Every function is pure: the same input returns the same
 * id, today and in later versions, because a chat may derive an id again. All ids have one layout, so that a chat may
 * change from one kind of id to another: 42 bits of milliseconds since 2000, then 22 bits that distinguish the messages
 * of one millisecond. docs/ids.md has the order that each function keeps and the odds of a collision.
 */

/** 1 January 2000. With this start, ids stay below 2^63, the limit of a signed 64-bit column, until 2069. */
const EPOCH_MS = 946_684_800_000;
/** At the epoch itself an id could be 0, and in the last millisecond 2^64-1: neither is the id of a message. */
const FIRST_MS = EPOCH_MS + 1;
const LAST_MS = EPOCH_MS + 2 ** 42 - 2;

const LOW_BITS = 22;
const LOW_VALUES = 2 ** LOW_BITS;

/** The bits of a UUIDv7 behind its time, without version and variant: 12 of rand_a, 62 of rand_b. */
const UUID_TAIL_BITS = 74;

/** An ObjectId counts in 24 bits, so the 1,000 * 2^22 values of a second have room for 250 counters. */
const COUNTER_VALUES = 2 ** 24;
const COUNTERS = (1_000 * LOW_VALUES) / COUNTER_VALUES;

const UUID_V7 = /^([\da-f]{8}-[\da-f]{4})-7([\da-f]{3})-([89ab][\da-f]{3}-[\da-f]{12})$/;

/** 26 digits of 5 bits. The first has 3 bits, since a ULID has 128. */
const ULID = /^[0-7][\da-hjkmnp-tv-z]{25}$/i;

/** Crockford's alphabet, as ULIDs have it. */
const BASE_32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * The id of a message from the time when it was created, in ms since 1970. The tie-breaker distinguishes the messages of
 * one millisecond: a counter from 0 to 4,194,303, whose order is kept, or a text that is unique in the group, such as the
 * message's own id, of which 22 bits of a hash are used. Throws a TypeError for a time before 2000 (such as one in
 * seconds) or after May 2139, and for any other tie-breaker.
 */
export function messageIdFromTime(createdMs: number, tieBreaker: number | string): string {
  if (!Number.isInteger(createdMs)) throw bad('createdMs', 'an integer of milliseconds', createdMs);
  if (typeof tieBreaker === 'string' && tieBreaker !== '') return idOf(createdMs, hashOf(tieBreaker));
  if (Number.isInteger(tieBreaker) && Number(tieBreaker) >= 0 && Number(tieBreaker) < LOW_VALUES) {
    return idOf(createdMs, Number(tieBreaker));
  }
  throw bad('tieBreaker', `a text, or an integer from 0 to ${LOW_VALUES - 1}`, tieBreaker);
}

/**
 * The id of a message from its UUID of version 7. Within one millisecond the order is not kept, unless `counterBits` is
 * given: how many bits behind the milliseconds the generator of all these UUIDs counts in, or fills with a finer time.
 * Throws a TypeError for anything else, UUIDs of other versions included.
 */
export function messageIdFromUuidV7(uuid: string, counterBits?: number): string {
  const found = UUID_V7.exec(typeof uuid === 'string' ? uuid.toLowerCase() : '');
  if (!found) throw bad('uuid', 'a UUID of version 7', uuid);
  const [text, time = '', randA = '', randB = ''] = found;
  const createdMs = Number.parseInt(time.replace('-', ''), 16);
  if (counterBits === undefined) return idOf(createdMs, hashOf(text));
  if (!Number.isInteger(counterBits) || counterBits < 1 || counterBits > UUID_TAIL_BITS) {
    throw bad('counterBits', `an integer from 1 to ${UUID_TAIL_BITS}`, counterBits);
  }
  const tail = (BigInt(`0x${randA}`) << 62n) | BigInt.asUintN(62, BigInt(`0x${randB.replace('-', '')}`));
  // The last bits of the counter: its first ones stay the same within a millisecond.
  const behind = UUID_TAIL_BITS - Math.max(counterBits, LOW_BITS);
  return idOf(createdMs, Number(BigInt.asUintN(LOW_BITS, tail >> BigInt(behind))));
}

/**
 * The id of a message from its ULID. ULIDs of one millisecond keep their order if a monotonic generator made them, which
 * adds one to the last bits. Throws a TypeError for anything else.
 */
export function messageIdFromUlid(ulid: string): string {
  if (typeof ulid !== 'string' || !ULID.test(ulid)) throw bad('ulid', 'a ULID', ulid);
  const digitsAt = (from: number, to: number) =>
    [...ulid.toUpperCase().slice(from, to)].reduce((value, digit) => value * 32 + BASE_32.indexOf(digit), 0);
  return idOf(digitsAt(0, 10), digitsAt(21, 26) % LOW_VALUES);
}

/**
 * The id of a message from its ObjectId, as 24 hexadecimal digits. ObjectIds of one second and one process keep their
 * order. Throws a TypeError for anything else.
 */
export function messageIdFromObjectId(objectId: string): string {
  if (typeof objectId !== 'string' || !/^[\da-f]{24}$/i.test(objectId)) {
    throw bad('objectId', 'an ObjectId of 24 hexadecimal digits', objectId);
  }
  const digitsAt = (from: number, to: number) => Number.parseInt(objectId.slice(from, to), 16);
  // The first of the five bytes of the process: so processes mostly keep the order of their ObjectIds too.
  const process = Math.floor((digitsAt(8, 10) * COUNTERS) / 256);
  return idOf(digitsAt(0, 8) * 1_000, process * COUNTER_VALUES + digitsAt(18, 24));
}

/** `low` is below 2^22; of an ObjectId, whose time is a whole second, below 1,000 * 2^22. */
function idOf(createdMs: number, low: number): string {
  if (createdMs < FIRST_MS || createdMs > LAST_MS) {
    throw new TypeError(`the time must be from ${FIRST_MS} to ${LAST_MS} ms since 1970: ${createdMs}`);
  }
  return String((BigInt(createdMs - EPOCH_MS) << BigInt(LOW_BITS)) + BigInt(low));
}

/** FNV-1a of 32 bits over the UTF-8 bytes, folded to 22 bits: short in every language. It must never change. */
function hashOf(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01_00_01_93);
  return ((hash >>> LOW_BITS) ^ hash) & (LOW_VALUES - 1);
}

function bad(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${name} must be ${expected}: ${String(value)}`);
}
