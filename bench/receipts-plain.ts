import { Redis } from '@upstash/redis';
import type { CacheCredentials } from '../shared/cache/upstash.ts';
import type { Membership } from '../shared/domain/membership.ts';
import { type Position, START } from '../shared/domain/position.ts';
import type { Population, PopulationMessage } from './receipts-population.ts';

export interface Counts {
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
}

const CHUNK = 1_000;
const WIDTH = START.length;

/**
 * The plain way to count receipts, with the same client: it fetches a whole hash of users and marks and compares them here.
 * There is a simple version and the fastest version that was found. Marks are short: they have no times, and leave out
 * default values. The senders are given, while the service looks them up.
 */
export class PlainReceipts {
  readonly #redis: Redis;

  constructor({ url, token }: CacheCredentials) {
    this.#redis = new Redis({
      url,
      token,
      automaticDeserialization: false,
      responseEncoding: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      retry: false,
    });
  }

  async fill(population: Population): Promise<void> {
    const { members } = population;
    for (let start = 0; start < members.length; start += CHUNK) {
      const chunk = members.slice(start, start + CHUNK);
      const marks = chunk.map(({ userId, membership }) => [userId, textOf(membership)]);
      await this.#redis.hset(keyOf(population), Object.fromEntries(marks));
    }
  }

  /** HGETALL with one call, and then a comparison of each message with each member. */
  async countSimply(population: Population, messages: readonly PopulationMessage[]): Promise<Counts[]> {
    const reply: unknown = await this.#redis.hgetall(keyOf(population));
    if (!Array.isArray(reply)) throw new Error(`the marks of ${population.groupId} have another form`);
    const members: { readonly userId: string; readonly marks: Marks }[] = [];
    for (let index = 0; index < reply.length; index += 2) {
      members.push({ userId: String(reply[index]), marks: marksOf(String(reply[index + 1])) });
    }
    return messages.map(({ position, senderId }) => {
      const counts = { audience: 0, readCount: 0, deliveredCount: 0 };
      for (const { userId, marks } of members) {
        if (userId === senderId || marks.joinedAfter >= position) continue;
        counts.audience += 1;
        if (marks.read >= position) counts.readCount += 1;
        if (marks.delivered >= position) counts.deliveredCount += 1;
      }
      return counts;
    });
  }

  /**
   * HVALS with one call, because the users' names would double the reply, together with the senders' marks by name. It
   * processes each member once for all messages. HSCAN took longer, and so did several HMGET at the same time.
   *
   * @param messages oldest first
   */
  async countFast(population: Population, messages: readonly PopulationMessage[]): Promise<Counts[]> {
    const key = keyOf(population);
    const senders = [...new Set(messages.map(({ senderId }) => senderId))];
    const [everyone, ofSenders] = await this.#redis
      .pipeline()
      .hvals(key)
      .hmget(key, ...senders)
      .exec<[string[], (string | null)[]]>();
    const marksOfSenders = new Map(senders.map((senderId, index) => [senderId, ofSenders[index]]));
    return compare(
      everyone,
      messages.map(({ position }) => position),
      messages.map(({ senderId }) => marksOfSenders.get(senderId)),
    );
  }
}

function keyOf({ groupId }: Population): string {
  return `plain:${groupId}`;
}

interface Marks {
  readonly read: string;
  readonly joinedAfter: string;
  readonly delivered: string;
}

function textOf({ joinedAfter, public: shown, delivered }: Membership): string {
  if (delivered.position > shown.position) return shown.position + joinedAfter + delivered.position;
  return shown.position + (joinedAfter === START ? '' : joinedAfter);
}

function marksOf(text: string): Marks {
  const read = text.slice(0, WIDTH);
  return {
    read,
    joinedAfter: text.length > WIDTH ? text.slice(WIDTH, 2 * WIDTH) : START,
    delivered: text.length > 2 * WIDTH ? text.slice(2 * WIDTH) : read,
  };
}

/** Counts, for each member, the first message after its joining, after its read position and after its delivered position. */
function compare(
  texts: readonly string[],
  positions: readonly Position[],
  ofSenders: readonly (string | null | undefined)[],
): Counts[] {
  const [joined, read, delivered] = [tally(positions), tally(positions), tally(positions)];
  for (const text of texts) {
    const upTo = placeOf(positions, text.slice(0, WIDTH));
    add(joined, text.length > WIDTH ? placeOf(positions, text.slice(WIDTH, 2 * WIDTH)) : 0);
    add(read, upTo);
    add(delivered, text.length > 2 * WIDTH ? placeOf(positions, text.slice(2 * WIDTH)) : upTo);
  }
  let audience = 0;
  let notRead = 0;
  let notDelivered = 0;
  return positions.map((position, index) => {
    audience += joined[index] ?? 0;
    // All of these joined before: no member starts above the position where it joined.
    notRead += read[index] ?? 0;
    notDelivered += delivered[index] ?? 0;
    const text = ofSenders[index];
    const own = text ? marksOf(text) : null;
    const isOwn = (isSo: boolean) => (isSo && own && own.joinedAfter < position ? 1 : 0);
    return {
      audience: audience - isOwn(true),
      readCount: audience - notRead - isOwn(own !== null && own.read >= position),
      deliveredCount: audience - notDelivered - isOwn(own !== null && own.delivered >= position),
    };
  });
}

/** One counter for each position, and one for those above all. */
function tally(positions: readonly Position[]): Uint32Array {
  return new Uint32Array(positions.length + 1);
}

function add(places: Uint32Array, place: number): void {
  places[place] = (places[place] ?? 0) + 1;
}

/** The number of positions at or below a position. */
function placeOf(positions: readonly Position[], position: string): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((positions[middle] ?? '') <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
