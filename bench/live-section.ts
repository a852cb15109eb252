import { createApiClient } from '../local/http/api-client.ts';
import { Issuer, SCOPES } from '../local/identity/issuer.ts';
import { type LoadPlan, runLoad } from '../test/support/live-load.ts';
import { quantile } from './measurement.ts';
import { withStack } from './running-stack.ts';
import { digits, formatTable } from './table.ts';

const PLAN: LoadPlan = {
  groupId: 'live',
  members: 500,
  connections: 200,
  senders: 10,
  messages: 100,
  marks: 1_000,
  marksASecond: 50,
};

const CATCH_UP_DEADLINE_MS = 60_000;

/**
 * 200 connected members of a group of 500 make 50 marks a second for 20 seconds. Throws if a sender ends with wrong counts or a
 * device with a wrong badge.
 */
export async function measureLive(): Promise<void> {
  await withStack(async ({ description, dataDirectory }) => {
    const { apiUrl, wsUrl } = description;
    if (!wsUrl) throw new Error('the stack has no WebSocket API');
    const issuer = await Issuer.open(dataDirectory);
    const client = createApiClient(apiUrl, (subject, kind) => issuer.issue(subject, SCOPES[kind]));
    try {
      const { frames, markingMs, elapsedMs, viewMs, receiptsMs } = await runLoad(
        { ...client, wsUrl },
        PLAN,
        CATCH_UP_DEADLINE_MS,
      );
      console.log('200 connected members of a group of 500 make 50 marks a second for 20 s');
      console.log(
        formatTable(
          ['', 'value'],
          [
            ['marks answered a second', digits(PLAN.marks / (markingMs / 1_000))],
            ['marks × members', String(PLAN.marks * PLAN.members)],
            ['frames with a view', String(frames.view)],
            ['frames with receipts', String(frames.receipts)],
            ['p50 from mark to view, ms', digits(quantile(viewMs, 0.5))],
            ['p50 from mark to receipts, ms', digits(quantile(receiptsMs, 0.5))],
            ['all devices right, s after the last mark', digits((elapsedMs - markingMs) / 1_000)],
          ],
        ),
      );
    } finally {
      client.close();
    }
  });
}
