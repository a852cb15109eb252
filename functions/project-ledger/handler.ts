import { project } from '../../shared/projection/project.ts';
import { RecentRecords } from '../../shared/projection/recent-records.ts';
import { createBus } from '../bus.ts';
import { createStores } from '../composition.ts';
import { createDeadLetters } from '../dead-letters.ts';
import { ledgerStream } from '../ledger-stream.ts';
import { prepare } from '../prepare.ts';

const stores = createStores();
const publisher = createBus();
const projection = {
  stores,
  publisher,
  deadLetters: createDeadLetters(),
  told: new RecentRecords(10_000),
};

export const handler = ledgerStream((records) => project(projection, records));

await prepare({ stores, others: [handler.rehearse, publisher.rehearse] });
