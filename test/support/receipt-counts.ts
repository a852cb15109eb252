import type { Receipt } from '../../shared/domain/message.ts';

/** What a call for receipts returned. Throws if the group's policy refused it. */
export function shown<T>(result: T | 'receipts-off'): T {
  if (result === 'receipts-off') throw new Error("the group's policy refused the receipts");
  return result;
}

/** The numbers of receipts alone: audience, read, delivered. */
export function countsOf(receipts: readonly (Receipt | null)[] | 'receipts-off' | null | undefined) {
  return shown(receipts)?.map(
    (receipt) => receipt && [receipt.audience, receipt.readCount, receipt.deliveredCount],
  );
}
