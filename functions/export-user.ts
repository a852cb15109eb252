import { TABLE_NAME } from '../shared/contract/environment.ts';
import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { createLedgerClient } from '../shared/ledger/ledger.ts';
import { Table } from '../shared/ledger/table.ts';
import { UserItems } from '../shared/ledger/user-items.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { variable } from './runtime/environment.ts';
import { exportAnswer } from './runtime/export-answer.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const items = new UserItems(new Table(createLedgerClient(), variable(TABLE_NAME)));

/** A membership is less than 2 KB in an answer, so that a page is far below the 6 MB of a Lambda's answer. */
const PAGE = 100;

export const handler = serve(requests.exportUser, async ({ userId, cursor }) => {
  const list = `export ${userId}`;
  const after = readCursor(list, cursor, (text) => text || null);
  const page = await items.page(userId, PAGE, after);
  return ok({
    userId,
    ...exportAnswer(page.items),
    cursor: page.next && writeCursor(list, page.next),
  });
});

await prepare({ others: [handler.rehearse, () => items.page(NOBODY.userId, 1, null)] });
