import { expect, test } from '@jest/globals';
import { awsAccesses } from '../../../../local/iam/aws-accesses.ts';

const SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:upstash-local1';
const QUEUE = 'https://sqs.us-east-1.amazonaws.com/000000000000/a-queue';

test.each([
  ['secretsmanager.GetSecretValue', { SecretId: SECRET }, [`secretsmanager:GetSecretValue ${SECRET}`]],
  [
    'secretsmanager.DescribeSecret',
    { SecretId: 'upstash-local1' },
    [`secretsmanager:DescribeSecret ${SECRET}`],
  ],
  [
    'AWSEvents.PutEvents',
    { Entries: [{ EventBusName: 'a' }, {}, { EventBusName: 'a' }, { EventBusName: 'arn:of:b' }] },
    [
      'events:PutEvents arn:aws:events:us-east-1:000000000000:event-bus/a',
      'events:PutEvents arn:aws:events:us-east-1:000000000000:event-bus/default',
      'events:PutEvents arn:of:b',
    ],
  ],
  [
    'AmazonSQS.SendMessage',
    { QueueUrl: QUEUE },
    ['sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:a-queue'],
  ],
  [
    'AmazonSQS.DeleteMessageBatch',
    { QueueUrl: QUEUE },
    ['sqs:DeleteMessage arn:aws:sqs:us-east-1:000000000000:a-queue'],
  ],
  [
    'AmazonSQS.GetQueueUrl',
    { QueueName: 'a-queue' },
    ['sqs:GetQueueUrl arn:aws:sqs:us-east-1:000000000000:a-queue'],
  ],
  [
    'AmazonSQS.StartMessageMoveTask',
    { SourceArn: 'arn:of:queue' },
    ['sqs:StartMessageMoveTask arn:of:queue'],
  ],
  [
    'AmazonSSM.GetParameter',
    { Name: '/cdk-bootstrap/hnb659fds/version' },
    ['ssm:GetParameter arn:aws:ssm:us-east-1:000000000000:parameter/cdk-bootstrap/hnb659fds/version'],
  ],
])('%s of %j needs %j', (target, input, expected) => {
  expect(awsAccesses(target, input)?.map(({ action, resource }) => `${action} ${resource}`)).toEqual(
    expected,
  );
});

test('a service that is not known needs what nobody can have', () => {
  expect(awsAccesses('DynamoDB_20120810.GetItem', {})).toBeNull();
  expect(awsAccesses('toString', {})).toBeNull();
});
