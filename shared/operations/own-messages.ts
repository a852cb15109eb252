import { type Belonging, isSentBefore, sentUpTo } from '../domain/belonging.ts';
import type { Member } from '../domain/ids.ts';
import type { MembershipState } from '../domain/membership.ts';
import { laterOf, type Position, START } from '../domain/position.ts';
import type { Tidemark } from './tidemark.ts';

/*
 * A member has read its own messages: when a message is recorded, its sender moves up to it, unless the recording says that
 * the sender stays.
 */

/** The newest messages of a sender to which it moves; the start if there are none. */
export interface OwnMessages {
  /** Recorded now. */
  readonly recorded: Position;
  /** Recorded before: a sender that moved to it then does not move again. */
  readonly known: Position;
}

/**
 * Moves the sender of messages up to them, nearly always in one write of the ledger. Returns what the ledger then holds, for
 * the cache: also of a sender that does not move, since an earlier call may have moved it and then failed. Null if the
 * sender is not a member, or if none of the messages moves it.
 *
 * @param sentAtMs if the messages arrived as a fact, the time when they were sent: a sender that joined later does not
 *   move. Null: every member moves.
 */
export async function advanceSender(
  { ledger, nowMs }: Tidemark,
  sender: Member,
  { recorded, known }: OwnMessages,
  sentAtMs: number | null,
): Promise<MembershipState | null> {
  const newest = laterOf(recorded, known);
  if (newest === START) return null;
  const at = nowMs();
  // The time of the message is the bound for the generation. A generation is at least the time of the joining, so a
  // smaller one proves that the sender joined before the message.
  const raised = await ledger.memberships.raise(sender, newest, at, sentAtMs);
  if (raised.isRaised) return raised.state;
  const { state, joinings } = raised.known;
  if (state?.kind !== 'member') return null;
  const [since] = joinings;
  if (sentAtMs !== null && since && isSentBefore(sentAtMs, since)) return state;
  // The sender moved to a known message when that was first recorded. It may have marked it unread since then.
  const target = sentUpTo(raised.known) >= known ? recorded : newest;
  if (target === START) return state;
  return ledger.memberships.moveSender(sender, target, at, raised.known);
}

/**
 * Moves a member to its newest own message sent since it joined, including those that arrived before the join. The
 * messages are read after the membership was written, so that a message recorded in the meantime finds the member.
 * Returns null if the member does not move.
 */
export async function followOwnMessages(
  tidemark: Tidemark,
  member: Member,
  belonging: Belonging,
  epoch: number,
): Promise<MembershipState | null> {
  const { state, joinings } = belonging;
  const [since] = joinings;
  if (state?.kind !== 'member' || !since) return null;
  const { messages } = tidemark.ledger;
  const newest = await messages.newestOf(member, { abovePosition: sentUpTo(belonging), epoch }, since.at);
  return newest && advanceSender(tidemark, member, { recorded: newest, known: START }, null);
}
