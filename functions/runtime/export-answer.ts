import type { Belonging, Joining } from '../../shared/domain/belonging.ts';
import { type Membership, preferencesRevision, type Register } from '../../shared/domain/membership.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { formatTime } from '../../shared/domain/time.ts';
import type { UserItem } from '../../shared/ledger/user-items.ts';

type ItemOf<Kind extends UserItem['kind']> = Extract<UserItem, { readonly kind: Kind }>;

/** All that the items of a user hold, in a list for each kind. A kind that is missing here does not compile. */
export function exportAnswer(items: readonly UserItem[]) {
  const of = <Kind extends UserItem['kind']>(kind: Kind) =>
    items.filter((item): item is ItemOf<Kind> => item.kind === kind);
  const lists = {
    membership: of('membership').map(exportedMembership),
    connection: of('connection').map(exportedConnection),
    erasure: of('erasure').map(({ erasure }) => ({ begunAt: formatTime(erasure.begunAtMs) })),
    unreadable: of('unreadable').map(({ key }) => key.SK.S),
  } satisfies Readonly<Record<UserItem['kind'], readonly unknown[]>>;
  const { membership, connection, erasure, unreadable } = lists;
  return { memberships: membership, connections: connection, erasures: erasure, unreadable };
}

function exportedMembership({ groupId, belonging, expiresAtMs }: ItemOf<'membership'>) {
  const { state } = belonging;
  return {
    groupId,
    current: state?.kind === 'member' ? currentOf(state) : null,
    history: historyOf(belonging),
    expiresAt: formatTime(expiresAtMs),
  };
}

function currentOf(membership: Membership) {
  const { generation, joinedAfter, self, preferences } = membership;
  const { notify, mutedUntil, hideReceipts, archive, archivedAt, at } = preferences;
  return {
    membership: generation,
    joinedAfter: formatMessageId(joinedAfter),
    own: { ...markOf(self), revision: self.revision },
    public: markOf(membership.public),
    delivered: markOf(membership.delivered),
    preferences: {
      ...{ notify, mutedUntil: formatTime(mutedUntil), hideReceipts, archive },
      revision: preferencesRevision(membership),
      archivedAt: formatMessageId(archivedAt),
      at: formatTime(at),
    },
  };
}

function markOf({ position, at }: Register) {
  return { messageId: formatMessageId(position), at: formatTime(at) };
}

function historyOf({ joinings, leftAt, lastRevision, sentHidden }: Belonging) {
  return {
    joinings: joinings.map(joiningOf),
    leftAt: formatTime(leftAt),
    lastRevision,
    sentHidden: sentHidden && formatMessageId(sentHidden),
  };
}

function joiningOf({ at, joinedAfter, receivedAt }: Joining) {
  return {
    at: formatTime(at),
    joinedAfter: formatMessageId(joinedAfter),
    receivedAt: formatTime(receivedAt),
  };
}

/** Without its id, which only API Gateway understands. */
function exportedConnection({ connection, expiresAtMs }: ItemOf<'connection'>) {
  return {
    connectedAt: formatTime(connection.connectedAtMs),
    tokenExpiresAt: formatTime(connection.tokenExpiresAtMs),
    expiresAt: formatTime(expiresAtMs),
  };
}
