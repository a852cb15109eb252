import { TABLE_NAME } from '../shared/contract/environment.ts';
import * as requests from '../shared/contract/requests.ts';
import { Erasures } from '../shared/ledger/erasures.ts';
import { createLedgerClient } from '../shared/ledger/ledger.ts';
import { Table } from '../shared/ledger/table.ts';
import { variable } from './runtime/environment.ts';
import { prepare } from './runtime/prepare.ts';
import { reply, serve } from './runtime/serve.ts';

const erasures = new Erasures(new Table(createLedgerClient(), variable(TABLE_NAME)));

/** One write of the ledger. The stream starts the work. */
export const handler = serve(requests.eraseUser, async ({ userId }) => {
  await erasures.begin({ kind: 'user', userId }, Date.now());
  return reply(202, undefined);
});

await prepare({ others: [handler.rehearse] });
