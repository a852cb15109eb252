import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { queueSourcesOf } from '../../../local/aws/cloudformation/properties.ts';
import type { Callers } from '../../../local/aws/iam/callers.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import { MessageStore } from '../../../local/aws/queues/message-store.ts';
import { QueuePoller, type QueuePollerOptions } from '../../../local/aws/queues/queue-poller.ts';
import { Queues } from '../../../local/aws/queues/queues.ts';
import { eventually } from '../../support/engines.ts';
import { queueTemplate } from '../../support/queue-template.ts';

const WORK = 'arn:aws:sqs:us-east-1:000000000000:work';

test.each(['DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage'])(
  'a queue is not polled for a function whose role lacks %s',
  async (missing) => {
    const Action = ['DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage']
      .filter((name) => name !== missing)
      .map((name) => `sqs:${name}`);
    const Statement = [{ Effect: 'Allow' as const, Action, Resource: [WORK] }];
    const principal = new Principal('arn:of:worker', [{ Version: '2012-10-17', Statement }]);
    const queue = {
      definition: { arn: WORK, visibilityTimeoutSeconds: 360 },
      // It stays empty.
      receive: () => [],
      wait: () => new Promise(() => undefined),
    };
    const options = {
      queues: { get: () => queue },
      lambda: { pool: () => ({ definition: { timeoutMs: 60_000 } }) },
      callers: { ofFunction: () => ({ principal }) } as unknown as Callers,
    } as unknown as QueuePollerOptions;
    const [source] = queueSourcesOf(queueTemplate());
    if (!source) throw new Error('the template has no source');
    const poller = new QueuePoller(source, options);
    const named = `sqs:${missing.toLowerCase()}`;
    await expect(poller.start()).rejects.toThrow(
      `User: arn:of:worker is not authorized to perform: ${named} on resource: ${WORK}`,
    );
  },
);

/** A poller of a real queue, whose function handles every batch. */
async function polling(
  windowSeconds: number,
  speed: number,
  use: (queues: Queues, batches: string[][]) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-poller-'));
  const store = new MessageStore(join(directory, 'queues.jsonl'));
  const template = queueTemplate();
  const queues = new Queues(template, store, { nowMs: Date.now, speed });
  const batches: string[][] = [];
  const lambda = {
    pool: () => ({ definition: { timeoutMs: 60_000 } }),
    invoke: async (_name: string, payload: string) => {
      const { Records } = JSON.parse(payload) as { Records: { body: string }[] };
      batches.push(Records.map(({ body }) => body));
      return { ok: true, payload: 'null' };
    },
  };
  const [source] = queueSourcesOf(template);
  if (!source) throw new Error('the template has no source');
  const properties = { ...source.properties, MaximumBatchingWindowInSeconds: windowSeconds };
  const Statement = [{ Effect: 'Allow' as const, Action: ['sqs:*'], Resource: [WORK] }];
  const principal = new Principal('arn:of:worker', [{ Version: '2012-10-17', Statement }]);
  const poller = new QueuePoller({ ...source, properties }, {
    ...{ queues, lambda, speed },
    callers: { ofFunction: () => ({ principal }) } as unknown as Callers,
    log: { line: () => undefined, output: () => undefined },
  } as unknown as QueuePollerOptions);
  await poller.start();
  try {
    await use(queues, batches);
  } finally {
    await poller.stop();
    store.close();
    rmSync(directory, { recursive: true });
  }
}

test('messages within the batching window, which is shortened, come in one batch', async () => {
  // Ten minutes, in 3 s.
  await polling(600, 200, async (queues, batches) => {
    const work = queues.get(WORK);
    work.send({ body: 'first' });
    await eventually(async () => {
      if (work.messages()[0]?.receiveCount !== 1) throw new Error('not received yet');
    });
    work.send({ body: 'second' });
    work.send({ body: 'third' });
    await eventually(async () => {
      if (batches.length === 0) throw new Error('no batch yet');
    });
    expect(batches).toEqual([['first', 'second', 'third']]);
  });
});

test('a full batch is delivered at once', async () => {
  await polling(600, 1, async (queues, batches) => {
    for (let index = 0; index < 10; index += 1) queues.get(WORK).send({ body: String(index) });
    await eventually(async () => {
      if (batches.length === 0) throw new Error('no batch yet');
    });
    expect(batches).toEqual([['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']]);
  });
});
