import type { Template } from '../../local/aws/cloudformation/template.ts';

/** A template of two queues: `work`, which a function works off, and `dead`, where it gives up after three receives. */
export function queueTemplate(): Template {
  const arnOf = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
  return {
    stackName: 'queues',
    resources: [
      { logicalId: 'dead', type: 'AWS::SQS::Queue', properties: { QueueName: 'dead' } },
      {
        logicalId: 'work',
        type: 'AWS::SQS::Queue',
        properties: {
          QueueName: 'work',
          VisibilityTimeout: 360,
          RedrivePolicy: { deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 3 },
        },
      },
      {
        logicalId: 'source',
        type: 'AWS::Lambda::EventSourceMapping',
        properties: {
          EventSourceArn: arnOf('work'),
          FunctionName: 'worker',
          BatchSize: 10,
          MaximumBatchingWindowInSeconds: 0,
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          ScalingConfig: { MaximumConcurrency: 2 },
        },
      },
    ],
    identityOf: (name) => ({
      ref: `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`,
      attributes: { Arn: arnOf(name) },
    }),
    assetDirectory: () => undefined,
  };
}
