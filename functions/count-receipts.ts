import * as requests from '../shared/contract/requests.ts';
import { receiptsOff } from '../shared/domain/errors.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { isReadByAll } from '../shared/domain/message.ts';
import { END, messageIdAt } from '../shared/domain/position.ts';
import { countReceipts } from '../shared/operations/receipts.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.countReceipts, async ({ messageIds: positions, ...caller }) => {
  const counted = await countReceipts(tidemark, caller, positions);
  if (!counted) return null;
  if (counted === 'receipts-off') throw receiptsOff();
  const receipts = positions.map((position, index) => {
    const messageId = messageIdAt(position);
    const receipt = counted[index];
    if (!receipt) return { messageId, known: false as const };
    const { audience, readCount, deliveredCount } = receipt;
    const readByAll = isReadByAll(receipt);
    return { messageId, known: true as const, audience, readCount, deliveredCount, readByAll };
  });
  return ok({ groupId: caller.groupId, receipts });
});

await prepare({
  tidemark,
  operation: () => countReceipts(tidemark, NOBODY, [END]),
  others: [handler.rehearse],
});
