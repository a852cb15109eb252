import { QUEUE_URL, TABLE_NAME } from '../shared/contract/environment.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { createLedgerClient } from '../shared/ledger/ledger.ts';
import { Reminders } from '../shared/ledger/reminders.ts';
import { Table } from '../shared/ledger/table.ts';
import { sendReminder } from '../shared/reminders/send-reminder.ts';
import { createBus } from './runtime/bus.ts';
import { createTidemark } from './runtime/composition.ts';
import { variable } from './runtime/environment.ts';
import { eventQueue } from './runtime/event-queue.ts';
import { prepare } from './runtime/prepare.ts';
import { createReminderQueue, reminderIn } from './runtime/reminder-queue.ts';

const client = createLedgerClient();
const tidemark = createTidemark('strict', client);
const publisher = createBus();
const reminding = {
  tidemark,
  publisher,
  reminders: new Reminders(new Table(client, variable(TABLE_NAME))),
  queue: createReminderQueue(variable(QUEUE_URL)),
};

/** A reminder of a large group loads its receipts, and publishes up to a hundred events. */
const LONGEST_MS = 20_000;

/** Publishes who has not read a message. Those of one group are handled one after the other: they read the same members. */
export const handler = eventQueue((event) => sendReminder(reminding, reminderIn(event)), {
  laneOf: (event) => reminderIn(event).key.PK.S,
  longestMs: LONGEST_MS,
});

await prepare({
  tidemark,
  operation: () =>
    tidemark.cache.receipts.list(
      NOBODY.groupId,
      { position: END, senderId: NOBODY.userId },
      'unread',
      1,
      null,
    ),
  writes: true,
  others: [handler.rehearse, publisher.rehearse],
});
