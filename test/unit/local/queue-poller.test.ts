import { expect, test } from '@jest/globals';
import { resourcesOf } from '../../../local/cloudformation/properties.ts';
import type { Callers } from '../../../local/iam/callers.ts';
import { Principal } from '../../../local/iam/principal.ts';
import { QueuePoller, type QueuePollerOptions } from '../../../local/queues/queue-poller.ts';
import { queueTemplate } from '../../support/queue-template.ts';

const WORK = 'arn:aws:sqs:us-east-1:000000000000:work';

test.each(['DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage'])(
  'a queue is not polled for a function whose role may not do %s',
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
    const [source] = resourcesOf(queueTemplate(), 'AWS::Lambda::EventSourceMapping');
    if (!source) throw new Error('the template has no source');
    const poller = new QueuePoller(source, options);
    const named = `sqs:${missing.toLowerCase()}`;
    await expect(poller.start()).rejects.toThrow(
      `User: arn:of:worker is not authorized to perform: ${named} on resource: ${WORK}`,
    );
  },
);
