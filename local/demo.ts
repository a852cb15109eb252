import { parseArgs } from 'node:util';
import { playReading } from './demo/reading.ts';
import { playReceipts } from './demo/receipts.ts';
import { Session, say } from './demo/session.ts';

/** Plays what Tidemark does against the running stack, step by step. Throws at the first that is not as expected. */
async function play(dataPath: string): Promise<void> {
  const session = await Session.open(dataPath);
  const { run } = session;
  await playReading(session, 'A group of two and more', `demo-group-${run}`, [`C-${run}`, `D-${run}`]);
  await playReading(session, 'A one-to-one chat: a group of two', `demo-chat-${run}`, []);
  await playReceipts(session);
  say('\nEverything was as expected.');
}

const { values } = parseArgs({ options: { data: { type: 'string', default: '.tidemark' } } });
play(values.data).catch((error: unknown) => {
  console.error(error instanceof Error ? `  ✗ ${error.message}` : error);
  process.exitCode = 1;
});
