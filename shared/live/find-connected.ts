import * as change from '../cache/changes.ts';
import { type Concerned, MOST_MESSAGES, type Presence } from '../cache/live-cache.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loadWindow } from '../operations/message-window.ts';
import type { Live } from './live.ts';
import type { Move } from './move.ts';

/** Users whose connections are read at the same time. */
const CONCURRENT_USERS = 20;

/** The connected users whom a move concerns. */
export interface Connected {
  /** Null if the member is not connected, or if its own view has not moved. */
  readonly member: Presence | null;
  /** The senders of the messages newly read or delivered, without the member. */
  readonly senders: readonly Presence[];
}

const NOBODY_CONNECTED: Connected = { member: null, senders: [] };

/**
 * Returns the connected users whom a move concerns. One call of the cache if there are none. If there are any, the cache holds
 * the move afterwards, so that their frames have it.
 */
export async function findConnected(live: Live, move: Move): Promise<Connected> {
  const { groupId, userId, range } = move;
  const find = () => live.cache.findOnline(groupId, userId, range);
  let concerned = await find();
  if (concerned === null) return findInLedger(live, move);
  if (concerned === 'nobody') return NOBODY_CONNECTED;
  if (range && concerned.isTooShort) {
    const window = await loadWindow(live.tidemark, groupId, range.from);
    if (window) await live.tidemark.cache.merge(groupId, window);
    concerned = await find();
    if (concerned === null || concerned === 'nobody') return findInLedger(live, move);
  }
  const connected = await decide(live, move, concerned);
  if (connected.member || connected.senders.length > 0) await refresh(live, move, concerned);
  return connected;
}

/** If the cache does not know whether a user is connected, reads the user's connections from the ledger. */
async function decide(live: Live, { isOwn }: Move, { member, senders }: Concerned): Promise<Connected> {
  const everybody = isOwn ? [member, ...senders] : senders;
  const unknown = everybody.filter(({ state }) => state === 'unknown');
  const found = new Set(everybody.filter(({ state }) => state === 'online').map(({ userId }) => userId));
  const offline: Presence[] = [];
  await inParallel(unknown, CONCURRENT_USERS, async (user) => {
    const open = await live.connections.ofUser(user.userId, live.tidemark.nowMs());
    const newest = open.at(-1);
    if (!newest) offline.push(user);
    else {
      found.add(user.userId);
      await live.cache.noteOnline(user.userId, newest.connectedAtMs);
    }
  });
  if (offline.length > 0) await live.cache.noteOffline(offline);
  return {
    member: isOwn && found.has(member.userId) ? member : null,
    senders: senders.filter(({ userId }) => found.has(userId)),
  };
}

/** If the merge of the move into the cache was lost, the frames would still have the state before it. */
async function refresh(
  { tidemark }: Live,
  { groupId, userId, isIn }: Move,
  { state }: Concerned,
): Promise<void> {
  if (state && isIn(state)) return;
  const current = await tidemark.ledger.memberships.read({ groupId, userId });
  if (current) await tidemark.cache.merge(groupId, [change.member(userId, current)]);
}

/** Without the cache everybody counts as connected. Those who are not have no connections in the ledger. */
async function findInLedger({ tidemark }: Live, { groupId, userId, range, isOwn }: Move): Promise<Connected> {
  const messages = range
    ? await tidemark.ledger.messages.newest(
        groupId,
        { abovePosition: range.from, lastPosition: range.to, epoch: 0 },
        MOST_MESSAGES,
      )
    : [];
  const senders = messages.flatMap(({ senderId, deleted }) => (senderId && !deleted ? [senderId] : []));
  const others = [...new Set(senders)].filter((sender) => sender !== userId);
  const presenceOf = (of: typeof userId): Presence => ({ userId: of, state: 'unknown', seen: '' });
  return { member: isOwn ? presenceOf(userId) : null, senders: others.map(presenceOf) };
}
