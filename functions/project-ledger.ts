import { ERASURES_QUEUE_URL, EVENT_BUS_NAME } from '../shared/contract/environment.ts';
import type { Key } from '../shared/ledger/keys.ts';
import { project } from '../shared/stream/project.ts';
import { RecentRecords } from '../shared/stream/recent-records.ts';
import { createBus } from './runtime/bus.ts';
import { createTidemark } from './runtime/composition.ts';
import { createDeadLetters } from './runtime/dead-letters.ts';
import { variable } from './runtime/environment.ts';
import { createErasureQueue } from './runtime/erasure-queue.ts';
import { ledgerStream } from './runtime/ledger-stream.ts';
import { prepare } from './runtime/prepare.ts';

const tidemark = createTidemark();
/** A deployment without events has no bus. */
const publisher = process.env[EVENT_BUS_NAME] === undefined ? null : createBus();
const erasures = createErasureQueue(variable(ERASURES_QUEUE_URL));
const projection = {
  tidemark,
  publisher,
  deadLetters: createDeadLetters(),
  published: new RecentRecords(10_000),
  erasures: {
    start: (key: Key) => erasures.add({ key, waitedSinceMs: null }, 0),
    started: new RecentRecords(10_000),
  },
};

export const handler = ledgerStream((records) => project(projection, records));

await prepare({ tidemark, others: [handler.rehearse, ...(publisher ? [publisher.rehearse] : [])] });
