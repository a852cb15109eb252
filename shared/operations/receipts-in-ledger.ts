import type { ListEntry, ListedMember, ReceiptsPage } from '../cache/receipts-index.ts';
import type { Head } from '../domain/head.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Membership } from '../domain/membership.ts';
import type { Message, Receipt, ReceiptState } from '../domain/message.ts';
import { currentIn } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

/*
 * Receipts without a cache. Every member of the group is read, page by page; only the members of the answer stay in
 * memory. The answers are the same, but slower.
 */

const PAGE = 1_000;

type LedgerAlone = Pick<Tidemark, 'ledger'>;

/** A recorded message: its sender is known. */
export type RecordedMessage = Message & { readonly senderId: UserId };

type Counting = { -readonly [Name in keyof Receipt]: Receipt[Name] };

export async function countReceiptsInLedger(
  { ledger }: LedgerAlone,
  groupId: GroupId,
  head: Head,
  messages: readonly RecordedMessage[],
): Promise<Receipt[]> {
  const receipts: Counting[] = messages.map(({ position, senderId }) => ({
    ...{ position, senderId },
    ...{ audience: 0, readCount: 0, deliveredCount: 0 },
  }));
  for await (const { userId, membership } of ledger.memberships.everyone(groupId, PAGE)) {
    if (!currentIn(membership, head)) continue;
    for (const receipt of receipts) {
      if (!isConcerned(userId, membership, receipt)) continue;
      receipt.audience += 1;
      if (isIn('read', membership, receipt)) receipt.readCount += 1;
      if (isIn('delivered', membership, receipt)) receipt.deliveredCount += 1;
    }
  }
  return receipts;
}

/** Lists in the same order as the cache, so that a list that began there can continue here. */
export async function listReceiptsInLedger(
  { ledger }: LedgerAlone,
  groupId: GroupId,
  head: Head,
  receipt: Receipt,
  {
    state,
    limit,
    after,
  }: { readonly state: ReceiptState; readonly limit: number; readonly after: ListEntry | null },
): Promise<ReceiptsPage> {
  let first: ListedMember[] = [];
  let isMore = false;
  for await (const { userId, membership } of ledger.memberships.everyone(groupId, PAGE)) {
    if (!currentIn(membership, head)) continue;
    if (!isConcerned(userId, membership, receipt) || !isIn(state, membership, receipt)) continue;
    const { position } = state === 'delivered' ? membership.delivered : membership.public;
    const listed = { position, userId, membership };
    if (after && !isBehind(listed, after)) continue;
    first.push(listed);
    if (first.length <= 2 * limit) continue;
    first = first.toSorted(inOrder).slice(0, limit);
    isMore = true;
  }
  const members = first.toSorted(inOrder).slice(0, limit);
  const last = isMore || first.length > limit ? members.at(-1) : null;
  return { members, next: last ?? null };
}

function isConcerned(userId: UserId, membership: Membership, { position, senderId }: Receipt): boolean {
  return userId !== senderId && membership.joinedAfter < position;
}

function isIn(state: ReceiptState, membership: Membership, { position }: Receipt): boolean {
  if (state === 'delivered') return membership.delivered.position >= position;
  return membership.public.position >= position === (state === 'read');
}

function inOrder(a: ListEntry, b: ListEntry): number {
  return isBehind(a, b) ? 1 : -1;
}

function isBehind(a: ListEntry, b: ListEntry): boolean {
  return a.position === b.position ? a.userId > b.userId : a.position > b.position;
}
