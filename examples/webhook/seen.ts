import type { WebhookEvent } from './receiver.ts';

/** How far a group has been read, as everyone may see it. */
export interface Seen {
  /** The largest message id that each member has read. */
  readonly members: Readonly<Record<string, string>>;
  /** Everyone has read up to this message id. Null until an event reports one. */
  readonly everyone: string | null;
}

interface Mark {
  readonly membership: number;
  readonly upTo: bigint;
}

interface Group {
  readonly members: Map<string, Mark>;
  /** A group has no membership: all its marks have the same one. */
  everyone: Mark;
}

const NOTHING: Mark = { membership: -1, upTo: 0n };

/**
 * Follows the events about what everyone may see. Events come in any order and more than once, so an event never says
 * "set", only "at least": of two memberships the larger one counts, then of two message ids the larger one. Ids have 64
 * bits: compare them as `bigint`, because a JavaScript number loses their last digits.
 *
 * It keeps the state in memory: put it into your database, and a restart changes nothing. `begin` in docs/adopting.md
 * reads it again if you cannot. It does not notice departures and deleted groups, which begin in your chat: forget there what
 * has ended, as `left` in docs/adopting.md does.
 */
export function createSeen() {
  const groups = new Map<string, Group>();

  /** A group is kept only once an event has come: a question about any other id must not take memory. */
  const groupOf = (groupId: string): Group =>
    groups.get(groupId) ?? { members: new Map(), everyone: NOTHING };

  return {
    /** Applies an event. Throws on a message id that is no integer. */
    follow({ 'detail-type': type, detail }: WebhookEvent): void {
      // The others are not about what everyone may see. OwnWatermarkMoved is for the member's own devices only.
      if (type !== 'WatermarkAdvanced' && type !== 'GroupFullyRead') return;
      const groupId = String(detail.groupId);
      const group = groupOf(groupId);
      groups.set(groupId, group);
      if (type === 'WatermarkAdvanced') {
        const userId = String(detail.userId);
        const mark = { membership: Number(detail.membership), upTo: BigInt(String(detail.to)) };
        group.members.set(userId, later(mark, group.members.get(userId) ?? NOTHING));
      } else {
        group.everyone = later({ membership: 0, upTo: BigInt(String(detail.upTo)) }, group.everyone);
      }
    },

    of(groupId: string): Seen {
      const { members, everyone } = groupOf(groupId);
      return {
        members: Object.fromEntries([...members].map(([userId, { upTo }]) => [userId, String(upTo)])),
        everyone: everyone === NOTHING ? null : String(everyone.upTo),
      };
    },
  };
}

function later(one: Mark, other: Mark): Mark {
  if (one.membership !== other.membership) return one.membership > other.membership ? one : other;
  return one.upTo > other.upTo ? one : other;
}
