import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, route } from './runtime/route.ts';

const stores = createStores();

/** Without the ledger nothing can be acknowledged; without the cache everything works, slower. */
export const handler = route({}, async () => {
  const [isLedgerUp, isCacheUp] = await Promise.all([
    stores.ledger.probe().then(
      () => true,
      () => false,
    ),
    stores.cache.probe(),
  ]);
  const status = isLedgerUp ? (isCacheUp ? 'ok' : 'degraded') : 'unavailable';
  return ok({ status, ledger: say(isLedgerUp), cache: say(isCacheUp) }, isLedgerUp ? 200 : 503);
});

function say(isUp: boolean) {
  return isUp ? 'ok' : 'unavailable';
}

await prepare({ stores, operation: () => stores.ledger.probe(), others: [handler.rehearse] });
