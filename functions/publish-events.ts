import { publishMoves } from '../shared/stream/publish-moves.ts';
import { RecentRecords } from '../shared/stream/recent-records.ts';
import { createBus } from './runtime/bus.ts';
import { createDeadLetters } from './runtime/dead-letters.ts';
import { ledgerStream } from './runtime/ledger-stream.ts';
import { prepare } from './runtime/prepare.ts';

const publisher = createBus();
const publication = {
  publisher,
  deadLetters: createDeadLetters(),
  published: new RecentRecords(10_000),
};

export const handler = ledgerStream((records) => publishMoves(publication, records));

await prepare({ others: [handler.rehearse, publisher.rehearse] });
