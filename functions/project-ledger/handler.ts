import { project } from '../../shared/projection/project.ts';
import { RecentRecords } from '../../shared/projection/recent-records.ts';
import { createBus } from '../bus.ts';
import { createStores } from '../composition.ts';
import { createDeadLetters } from '../dead-letters.ts';
import { ledgerStream } from '../ledger-stream.ts';

const projection = {
  stores: createStores(),
  publisher: createBus(),
  deadLetters: createDeadLetters(),
  told: new RecentRecords(10_000),
};

export const handler = ledgerStream((records) => project(projection, records));
