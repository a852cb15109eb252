import { TABLE_NAME } from '../shared/contract/environment.ts';
import * as requests from '../shared/contract/requests.ts';
import { Erasures } from '../shared/ledger/erasures.ts';
import { createLedgerClient } from '../shared/ledger/ledger.ts';
import { Table } from '../shared/ledger/table.ts';
import { deleteGroup } from '../shared/operations/groups.ts';
import { createTidemark } from './runtime/composition.ts';
import { variable } from './runtime/environment.ts';
import { prepare } from './runtime/prepare.ts';
import { reply, serve } from './runtime/serve.ts';

const client = createLedgerClient();
const tidemark = createTidemark('strict', client);
const erasures = new Erasures(new Table(client, variable(TABLE_NAME)));

/**
 * The head is written first. Otherwise the job could find nothing to delete yet, end, and publish `GroupDeleted` for a group
 * that still exists. If the second write fails, the caller gets an error and repeats the call.
 */
export const handler = serve(requests.deleteGroup, async ({ groupId }) => {
  const { epoch } = await deleteGroup(tidemark, groupId);
  await erasures.begin({ kind: 'group', groupId }, epoch);
  return reply(202, undefined);
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
