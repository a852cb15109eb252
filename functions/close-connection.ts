import type { Context } from 'aws-lambda';
import { TABLE_NAME } from '../shared/contract/environment.ts';
import { Connections } from '../shared/ledger/connections.ts';
import { createLedgerClient } from '../shared/ledger/ledger.ts';
import { Table } from '../shared/ledger/table.ts';
import { variable } from './runtime/environment.ts';
import { type ConnectionEvent, connectionOf, statusAfter } from './runtime/web-socket-event.ts';

const connections = new Connections(new Table(createLedgerClient(), variable(TABLE_NAME)));

/** A client has disconnected. API Gateway may fail to call this. Then the next push removes the connection. */
export async function handler(event: ConnectionEvent, context: Context) {
  return statusAfter(event, context, async () => {
    const { userId, connectionId } = connectionOf(event);
    await connections.remove(userId, connectionId);
    return { statusCode: 200 };
  });
}
