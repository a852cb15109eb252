import { DEFAULT_DATA, readArguments, runCommand, sentenceOf } from './command/command.ts';
import { playErasure } from './demo/erasure.ts';
import { playPreferences } from './demo/preferences.ts';
import { playReading } from './demo/reading.ts';
import { playReceipts } from './demo/receipts.ts';
import { playReminder } from './demo/reminder.ts';
import { Session, say } from './demo/session.ts';

const HELP = `
npm run demo

Plays what Tidemark does, from the main job to erasure, against the stack that npm run dev started, and explains each step.
It exits with 1 at the first result that is not as expected.

Options
  --data DIR    the data directory of the stack, ${DEFAULT_DATA} by default
  -h, --help    prints this
`;

/** Runs the demo against the running stack, step by step. Throws an error at the first unexpected result. */
async function play(dataPath: string): Promise<void> {
  const session = await Session.open(dataPath);
  const { run } = session;
  await playReading(session, 'A group of four', `demo-group-${run}`, [`C-${run}`, `D-${run}`]);
  await playReading(session, 'A one-to-one chat: a group of two', `demo-chat-${run}`, []);
  await playReceipts(session);
  await playPreferences(session);
  await playReminder(session);
  await playErasure(session);
  say('\nEverything was as expected.');
}

runCommand(async () => {
  const { values } = readArguments({
    name: 'demo',
    help: HELP,
    takes: { options: { data: { type: 'string', default: DEFAULT_DATA } } },
  });
  await play(values.data).catch((error: unknown) => {
    console.error(error instanceof Error ? `  ✗ ${sentenceOf(error) ?? error.message}` : error);
    process.exitCode = 1;
  });
});
