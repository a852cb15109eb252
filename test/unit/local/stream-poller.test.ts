import { expect, test } from '@jest/globals';
import type { Callers } from '../../../local/aws/iam/callers.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import { StreamPoller, type StreamPollerOptions } from '../../../local/aws/streams/stream-poller.ts';

const STREAM = 'arn:aws:dynamodb:us-east-1:000000000000:table/ledger/stream/local';

test.each(['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'])(
  'a stream is not read for a function whose role lacks %s',
  async (missing) => {
    const Action = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams']
      .filter((name) => name !== missing)
      .map((name) => `dynamodb:${name}`);
    const Statement = [{ Effect: 'Allow' as const, Action, Resource: [STREAM] }];
    const principal = new Principal('arn:of:reader', [{ Version: '2012-10-17', Statement }]);
    const options = {
      tableName: 'ledger',
      lambda: { pool: () => undefined },
      queues: { get: () => undefined },
      callers: { ofFunction: () => ({ principal }) } as unknown as Callers,
      // The engine is not called.
      ...{ dynamodb: undefined, streams: undefined },
    } as unknown as StreamPollerOptions;
    const poller = new StreamPoller(
      {
        logicalId: 'Source',
        properties: {
          ...{
            EventSourceArn: STREAM,
            FunctionName: 'reader',
            StartingPosition: 'TRIM_HORIZON',
            BatchSize: 1,
          },
          ...{ MaximumRetryAttempts: 1, MaximumRecordAgeInSeconds: 60, BisectBatchOnFunctionError: true },
          ...{ FunctionResponseTypes: ['ReportBatchItemFailures'], FilterCriteria: { Filters: [] } },
          ...{ MaximumBatchingWindowInSeconds: 0, ParallelizationFactor: 1 },
          DestinationConfig: { OnFailure: { Destination: 'arn:of:dead-letters' } },
        },
      },
      options,
    );
    await expect(poller.start()).rejects.toThrow(
      `User: arn:of:reader is not authorized to perform: dynamodb:${missing} on resource: ${STREAM}`,
    );
  },
);
