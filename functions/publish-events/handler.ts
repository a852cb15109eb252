import { publishMoves } from '../../shared/projection/publish-moves.ts';
import { RecentRecords } from '../../shared/projection/recent-records.ts';
import { createBus } from '../bus.ts';
import { createDeadLetters } from '../dead-letters.ts';
import { ledgerStream } from '../ledger-stream.ts';
import { prepare } from '../prepare.ts';

const publisher = createBus();
const publication = {
  publisher,
  deadLetters: createDeadLetters(),
  told: new RecentRecords(10_000),
};

export const handler = ledgerStream((records) => publishMoves(publication, records));

await prepare({ others: [handler.rehearse, publisher.rehearse] });
