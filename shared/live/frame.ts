import { MOST_MESSAGES } from '../cache/live-cache.ts';
import type { MessageRange } from '../cache/message-range.ts';
import { MAX_RECEIPTS } from '../contract/frames.ts';
import type { ServerFrame } from '../contract/server-frames.ts';
import { formatPlace } from '../domain/place.ts';
import type { Position } from '../domain/position.ts';
import { formatMessageId, messageIdAt } from '../domain/position.ts';
import { formatUnread } from '../domain/unread.ts';
import { type OwnView, readOwnView } from '../operations/own-view.ts';
import { countReceipts } from '../operations/receipts.ts';
import type { DueFrame, Live } from './live.ts';

/**
 * The frame with the state as it is now; null if there is nothing to send. Nothing of a group goes to a user who has left it.
 */
export function frameOf(live: Live, due: DueFrame): Promise<ServerFrame | null> {
  return due.kind === 'view' ? viewFrame(live, due) : receiptsFrame(live, due);
}

async function viewFrame({ tidemark }: Live, { groupId, userId }: DueFrame): Promise<ServerFrame | null> {
  // Read before the state: of two frames, the one with the later state must not have the smaller time.
  const asOf = tidemark.nowMs();
  const view = await readOwnView(tidemark, { groupId, userId });
  return view && { type: 'view', asOf, ...viewIn(groupId, view) };
}

/** A view as frames hold it. */
export function viewIn(groupId: string, { membership, head, unread }: OwnView) {
  const { position, revision } = membership.self;
  return {
    groupId,
    messageId: formatMessageId(position),
    revision,
    head: formatMessageId(head.position),
    unread: formatUnread(unread),
    ...formatPlace(head, membership),
  };
}

async function receiptsFrame(live: Live, { groupId, userId, range }: DueFrame): Promise<ServerFrame | null> {
  const { tidemark, cache } = live;
  const cached = await cache.ownMessages(groupId, userId, range, MAX_RECEIPTS);
  const own = cached ?? (await ownMessagesInLedger(live, { groupId, userId, range }));
  if (own.length === 0) return null;
  const asOf = tidemark.nowMs();
  const counted = await countReceipts(tidemark, { groupId, userId }, own);
  if (!counted || counted === 'receipts-off') return null;
  const receipts = counted.flatMap((receipt) => receipt ?? []);
  if (receipts.length === 0) return null;
  return {
    type: 'receipts',
    asOf,
    groupId,
    receipts: receipts.map(({ position, audience, readCount, deliveredCount }) => ({
      messageId: messageIdAt(position),
      ...{ audience, readCount, deliveredCount },
    })),
  };
}

async function ownMessagesInLedger(
  { tidemark }: Live,
  { groupId, userId, range }: Pick<DueFrame, 'groupId' | 'userId'> & { readonly range: MessageRange },
): Promise<Position[]> {
  const messages = await tidemark.ledger.messages.newest(
    groupId,
    // Of messages of a time up to the epoch no receipts are counted.
    { abovePosition: range.from, lastPosition: range.to, epoch: 0 },
    MOST_MESSAGES,
  );
  const own = messages.filter(({ senderId, deleted }) => senderId === userId && !deleted);
  return own.slice(0, MAX_RECEIPTS).map(({ position }) => position);
}
