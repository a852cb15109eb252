import { type Belonging, isSentBefore, sentUpTo } from '../domain/belonging.ts';
import type { Member } from '../domain/ids.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import type { Tidemark } from './tidemark.ts';

/*
 * A member has read its own messages: when a message is recorded, its sender moves up to it.
 */

/** The conditions under which a sender moves to its message. */
export interface SenderMove {
  /**
   * The time when the message was sent: a sender that joined later, by a fact, does not move. Null: every member moves.
   */
  readonly sentAtMs: number | null;
  /** The message was recorded before: a sender that moved to it then does not move again. */
  readonly isRepeated: boolean;
}

/**
 * Moves the sender of a message up to it, nearly always in one write of the ledger. Returns null if the sender is not a
 * member or does not move.
 */
export async function advanceSender(
  { ledger, nowMs }: Tidemark,
  sender: Member,
  position: Position,
  { sentAtMs, isRepeated }: SenderMove,
): Promise<MembershipState | null> {
  const at = nowMs();
  // The time of the message is the bound for the generation. A generation is at least the time of the joining, so a
  // smaller one proves that the sender joined before the message.
  const raised = await ledger.memberships.raise(sender, position, at, sentAtMs);
  if (raised.isRaised) return raised.state;
  const { state, joinings } = raised.known;
  if (state?.kind !== 'member') return null;
  const [since] = joinings;
  if (sentAtMs !== null && since && isSentBefore(sentAtMs, since)) return null;
  // The sender moved when the message was first recorded. It may have marked the message unread since then.
  if (isRepeated && sentUpTo(raised.known) >= position) return null;
  return ledger.memberships.moveSender(sender, position, at, raised.known);
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
): Promise<MembershipState | null> {
  const { state, joinings } = belonging;
  const [since] = joinings;
  if (state?.kind !== 'member' || !since) return null;
  const { messages } = tidemark.ledger;
  const newest = await messages.newestOf(member, sentUpTo(belonging), since.at);
  return newest && advanceSender(tidemark, member, newest, { sentAtMs: null, isRepeated: false });
}
