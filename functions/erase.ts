import { CONNECTIONS_URL, MEMBERS_INDEX_NAME, QUEUE_URL } from '../shared/contract/environment.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { erase } from '../shared/erasure/erase.ts';
import { Erasures } from '../shared/ledger/erasures.ts';
import { GroupItems } from '../shared/ledger/group-items.ts';
import { UserItems } from '../shared/ledger/user-items.ts';
import { variable } from './runtime/environment.ts';
import { createErasureQueue, erasureJobIn } from './runtime/erasure-queue.ts';
import { eventQueue } from './runtime/event-queue.ts';
import { createLiveStores } from './runtime/live.ts';
import { prepare } from './runtime/prepare.ts';
import { createSockets } from './runtime/sockets.ts';

/** A job works this long, then another one goes on. The last steps that it began take the rest of LONGEST_MS. */
const RUN_MS = 15_000;
const LONGEST_MS = 35_000;

const { tidemark, cache, table } = createLiveStores('strict');
const items = new UserItems(table);
/** A deployment without the WebSocket API has no connections to close. */
const connectionsUrl = process.env[CONNECTIONS_URL];
const live = connectionsUrl === undefined ? null : { cache, sockets: createSockets(connectionsUrl) };
const erasing = {
  ...{ tidemark, items, live },
  groupItems: new GroupItems(table, variable(MEMBERS_INDEX_NAME)),
  erasures: new Erasures(table),
  queue: createErasureQueue(variable(QUEUE_URL)),
  runMs: RUN_MS,
};

/** Erases users and deleted groups. Jobs of one erasure are done one after the other. */
export const handler = eventQueue((event) => erase(erasing, erasureJobIn(event)), {
  laneOf: (event) => erasureJobIn(event).key.PK.S,
  longestMs: LONGEST_MS,
});

await prepare({
  tidemark,
  operation: () => items.page(NOBODY.userId, 1, null),
  writes: true,
  others: [handler.rehearse],
});
