import { setTimeout as delay } from 'node:timers/promises';
import * as change from '../cache/changes.ts';
import type { Counted, ListEntry, ReceiptQuery, ReceiptsPage } from '../cache/receipts-index.ts';
import { unavailable } from '../domain/errors.ts';
import { type Head, isAfterEpoch, type ReceiptsPolicy } from '../domain/head.ts';
import type { GroupId, Member } from '../domain/ids.ts';
import type { Message, Receipt, ReceiptState } from '../domain/message.ts';
import { type Position, START } from '../domain/position.ts';
import { loadWindow } from './message-window.ts';
import { currentIn, isSparse } from './own-view.ts';
import { countReceiptsInLedger, listReceiptsInLedger, type RecordedMessage } from './receipts-in-ledger.ts';
import { loadIndex } from './receipts-load.ts';
import type { Tidemark } from './tidemark.ts';

/** The pauses between two checks of a load by another caller. They begin short and double up to the longest. */
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

/** The longest wait for that load. Then the caller gets `unavailable`, since a waiting call keeps an instance busy. */
const MAX_WAIT_MS = 5_000;

/** A load whose keys the cache lost begins again. After this many loads the call goes on without the cache. */
const MAX_LOADS = 3;

/**
 * Returns the receipts of messages, in the order of `positions`, null for each that is not recorded or is deleted, or that
 * the group's policy has for its sender alone. 'receipts-off' if the policy has none for anybody, null if the caller is not
 * a member. One call of the cache, once the group's receipts are loaded there.
 */
export async function countReceipts(
  tidemark: Tidemark,
  caller: Member,
  positions: readonly Position[],
): Promise<(Receipt | null)[] | 'receipts-off' | null> {
  const counted = await countAll(tidemark, caller, positions);
  if (!counted || counted === 'receipts-off') return counted;
  const { head, receipts } = counted;
  const { receipts: policy } = head.settings;
  return receipts.map((receipt) => (receipt && isShown(policy, caller, receipt) ? receipt : null));
}

/** One message's receipt, and a page of its audience. */
export interface ReceiptsList {
  readonly receipt: Receipt;
  readonly page: ReceiptsPage;
}

/**
 * Returns the receipt of one message and a page of the members who have read it, have not read it, or have received
 * it, ordered by the position that they have reached. 'no-message' if there is no such message, 'receipts-off' if the
 * group's policy does not show them to the caller, null if the caller is not a member. Two calls of the cache, once the
 * group's receipts are loaded there.
 */
export async function listReceipts(
  tidemark: Tidemark,
  caller: Member,
  position: Position,
  list: { readonly state: ReceiptState; readonly limit: number; readonly after: ListEntry | null },
): Promise<ReceiptsList | 'receipts-off' | 'no-message' | null> {
  const counted = await countAll(tidemark, caller, [position]);
  if (!counted || counted === 'receipts-off') return counted;
  const [receipt] = counted.receipts;
  if (!receipt) return 'no-message';
  const { head } = counted;
  if (!isShown(head.settings.receipts, caller, receipt)) return 'receipts-off';
  const { state, limit, after } = list;
  const page = await tidemark.cache.receipts.list(caller.groupId, receipt, state, limit, after);
  if (page && page !== 'missing') return { receipt, page };
  return { receipt, page: await listReceiptsInLedger(tidemark, caller.groupId, head, receipt, list) };
}

/** Counts like `countReceipts`, but asks only whether the group has receipts at all, and not whether this caller may see them. */
async function countAll(
  tidemark: Tidemark,
  caller: Member,
  positions: readonly Position[],
): Promise<{ readonly head: Head; readonly receipts: readonly (Receipt | null)[] } | 'receipts-off' | null> {
  const { cache, ledger } = tidemark;
  const { groupId } = caller;
  const queries: readonly ReceiptQuery[] = positions.map((position) => ({ position }));
  const counted = await cache.receipts.count(caller, queries);
  const [known, head] = await Promise.all([
    // A departure in the cache is not enough: only the ledger decides that a user is not a member.
    counted?.caller?.kind === 'member' ? counted.caller : ledger.memberships.read(caller),
    counted?.head ?? ledger.heads.read(groupId),
  ]);
  if (!currentIn(known, head)) return null;
  if (counted && !counted.head) await cache.merge(groupId, [change.head(head)]);
  if (head.settings.receipts === 'off') return 'receipts-off';
  const ready = counted && (await awaitIndex(tidemark, caller, queries, counted));
  if (ready) return { head, receipts: await complete(tidemark, caller, head, ready, positions) };
  const messages = await readRecorded(tidemark, groupId, head, positions);
  const receipts = await countReceiptsInLedger(tidemark, groupId, head, messages);
  return { head, receipts: inOrder(receipts, positions) };
}

/** The messages among `positions` that are recorded, not deleted, and of the time after the epoch. */
async function readRecorded(
  { ledger }: Tidemark,
  groupId: GroupId,
  head: Head,
  positions: readonly Position[],
): Promise<RecordedMessage[]> {
  const messages = await ledger.messages.readMany(groupId, positions);
  return messages.filter(isRecorded).filter(({ recordedAt }) => isAfterEpoch(head, recordedAt));
}

function isShown(policy: ReceiptsPolicy, { userId }: Member, { senderId }: Receipt): boolean {
  return policy === 'members' || senderId === userId;
}

type Ready = Counted & { readonly floor: Position; readonly receipts: readonly (Receipt | null)[] };

/** Waits until the cache holds members and messages, and returns its counts. Null if the cache cannot be loaded. */
async function awaitIndex(
  tidemark: Tidemark,
  caller: Member,
  queries: readonly ReceiptQuery[],
  first: Counted,
): Promise<Ready | null> {
  const { cache, nowMs } = tidemark;
  const { groupId } = caller;
  /** Only queries about messages at or below the floor load older messages. */
  const isTooShort = (floor: Position, kept: number) =>
    isSparse(kept, cache.capacity) && queries.some(({ position }) => position <= floor);
  const giveUpAtMs = nowMs() + MAX_WAIT_MS;
  let counted: Counted | null = first;
  let loads = 0;
  let waitMs = FIRST_WAIT_MS;
  while (counted) {
    const { floor, receipts } = counted;
    const isWindowMissing = floor === null || isTooShort(floor, counted.kept);
    if (receipts && !isWindowMissing) return { ...counted, floor, receipts };
    if (receipts) {
      const window = await loadWindow(tidemark, groupId, START);
      if (!window || !(await cache.merge(groupId, window))) return null;
      loads += 1;
    } else {
      const outcome = await loadIndex(tidemark, groupId, isWindowMissing);
      if (outcome === 'unavailable') return null;
      if (outcome === 'loaded') loads += 1;
      if (outcome === 'loading') {
        if (nowMs() > giveUpAtMs) throw unavailable(new Error('the receipts are still being loaded'));
        await delay(waitMs);
        waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
      }
    }
    if (loads > MAX_LOADS) return null;
    counted = await cache.receipts.count(caller, queries);
  }
  return null;
}

/** Adds the receipts of messages that are older than the cache's window. */
async function complete(
  tidemark: Tidemark,
  caller: Member,
  head: Head,
  { floor, receipts }: Ready,
  positions: readonly Position[],
): Promise<(Receipt | null)[]> {
  const old = positions.filter((position, index) => position <= floor && !receipts[index]);
  const { groupId } = caller;
  const sent = old.length > 0 ? await readRecorded(tidemark, groupId, head, old) : [];
  if (sent.length === 0) return [...receipts];
  const counted = await tidemark.cache.receipts.count(caller, sent);
  const ofOld = counted?.receipts ?? (await countReceiptsInLedger(tidemark, groupId, head, sent));
  return inOrder([...receipts, ...ofOld], positions);
}

function inOrder(receipts: readonly (Receipt | null)[], positions: readonly Position[]): (Receipt | null)[] {
  const known = new Map(receipts.flatMap((receipt) => (receipt ? [[receipt.position, receipt]] : [])));
  return positions.map((position) => known.get(position) ?? null);
}

function isRecorded(message: Message): message is RecordedMessage {
  return message.senderId !== null && !message.deleted;
}
