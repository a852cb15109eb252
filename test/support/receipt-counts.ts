import type { Receipt } from '../../shared/domain/message.ts';

/** The numbers of receipts alone: audience, read, delivered. */
export function countsOf(receipts: readonly (Receipt | null)[] | null | undefined) {
  return receipts?.map((receipt) => receipt && [receipt.audience, receipt.readCount, receipt.deliveredCount]);
}
