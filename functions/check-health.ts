import * as requests from '../shared/contract/requests.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { reply, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

/** Without the ledger no request succeeds. Without the cache every request succeeds, more slowly. */
export const handler = serve(requests.checkHealth, async () => {
  const [isLedgerUp, isCacheUp] = await Promise.all([
    tidemark.ledger.probe().then(
      () => true,
      () => false,
    ),
    tidemark.cache.probe(),
  ]);
  const status = isLedgerUp ? (isCacheUp ? 'ok' : 'degraded') : 'unavailable';
  return reply(isLedgerUp ? 200 : 503, { status, ledger: stateOf(isLedgerUp), cache: stateOf(isCacheUp) });
});

function stateOf(isUp: boolean) {
  return isUp ? 'ok' : 'unavailable';
}

await prepare({ tidemark, operation: () => tidemark.ledger.probe(), others: [handler.rehearse] });
