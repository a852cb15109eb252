import { project } from '../../shared/projection/project.ts';
import { RecentRecords } from '../../shared/projection/recent-records.ts';
import { createBus } from '../bus.ts';
import { createStores } from '../composition.ts';
import { createDeadLetters } from '../dead-letters.ts';
import { ledgerStream } from '../ledger-stream.ts';
import { prepare } from '../prepare.ts';

const stores = createStores();
/** A deployment without events has no bus to publish on. */
const publisher = process.env.EVENT_BUS_NAME === undefined ? null : createBus();
const projection = {
  stores,
  publisher,
  deadLetters: createDeadLetters(),
  told: new RecentRecords(10_000),
};

export const handler = ledgerStream((records) => project(projection, records));

await prepare({ stores, others: [handler.rehearse, ...(publisher ? [publisher.rehearse] : [])] });
