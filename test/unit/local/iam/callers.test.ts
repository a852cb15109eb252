import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Template } from '../../../../local/cloudformation/template.ts';
import { ledgerOwner } from '../../../../local/credentials.ts';
import { authorize } from '../../../../local/iam/authorize.ts';
import { Callers } from '../../../../local/iam/callers.ts';
import { Secrets } from '../../../../local/secrets.ts';

const lambda = (name: string) => ({
  logicalId: name,
  type: 'AWS::Lambda::Function',
  properties: {
    ...{ FunctionName: name, Role: 'arn:of:Role', Handler: 'index.handler', Runtime: 'nodejs24.x' },
    ...{ MemorySize: 128, Timeout: 3, Code: { S3Bucket: 'assets', S3Key: name } },
  },
});

const template: Template = {
  stackName: 'a-stack',
  resources: [
    lambda('first'),
    lambda('second'),
    { logicalId: 'Role', type: 'AWS::IAM::Role', properties: {} },
    { logicalId: 'Bus', type: 'AWS::Events::EventBus', properties: { Name: 'bus' } },
    {
      logicalId: 'Table',
      type: 'AWS::DynamoDB::Table',
      properties: {
        ...{ BillingMode: 'PAY_PER_REQUEST', AttributeDefinitions: [], KeySchema: [] },
        StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      },
    },
  ],
  identityOf: (logicalId) => ({ ref: logicalId, attributes: { Arn: `arn:of:${logicalId}` } }),
  assetDirectory: () => undefined,
};

let directory: string;
let file: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-callers-'));
  file = join(directory, 'secrets.json');
  // As an earlier version kept them, when all callers had the access key that the database belongs to.
  writeFileSync(
    file,
    JSON.stringify({
      'access-key-id': 'TheKeyOfTheDatabase',
      'functions-secret-access-key': 'of the functions',
      'back-end-secret-access-key': 'of the back end',
    }),
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

test('each has an access key of its own, which stays', () => {
  const keysOf = ({ backEnd, ofFunction }: { backEnd: Keys; ofFunction: (name: string) => Keys }) =>
    [backEnd, ofFunction('first'), ofFunction('second')].map(({ accessKeyId }) => accessKeyId);
  const open = () => {
    const callers = new Callers(template, new Secrets(file));
    return { backEnd: callers.backEnd, ofFunction: (name: string) => callers.ofFunction(name) };
  };
  const keys = keysOf(open());
  expect(new Set([...keys, 'TheKeyOfTheDatabase']).size).toBe(4);
  expect(keysOf(open())).toEqual(keys);
  expect(keys.map((key) => /^[A-Za-z0-9]{32}$/.test(key))).toEqual([true, true, true]);
});

interface Keys {
  readonly accessKeyId: string;
}

test('the database of an earlier version still belongs to its access key, which is no caller', () => {
  expect(ledgerOwner(new Secrets(file)).accessKeyId).toBe('TheKeyOfTheDatabase');
  expect(new Callers(template, new Secrets(file)).byAccessKeyId('TheKeyOfTheDatabase')).toBeUndefined();
});

describe('a back end', () => {
  const backEnd = () => new Callers(template, new Secrets(file)).backEnd.principal;
  const SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:upstash-local1';
  const BOOTSTRAP = 'arn:aws:ssm:us-east-1:000000000000:parameter/cdk-bootstrap/hnb659fds/version';

  test.each([
    ['events:PutEvents', 'arn:of:Bus'],
    ['dynamodb:GetItem', 'arn:of:Table'],
    ['dynamodb:BatchGetItem', 'arn:of:Table'],
    ['dynamodb:Query', 'arn:of:Table'],
    ['dynamodb:Query', 'arn:of:Table/index/members'],
    ['dynamodb:Scan', 'arn:of:Table'],
    ['dynamodb:DescribeTable', 'arn:of:Table'],
    ['dynamodb:ListTables', '*'],
    ['secretsmanager:DescribeSecret', SECRET],
    ['ssm:GetParameter', BOOTSTRAP],
  ])('may do %s on %s', (action, resource) => {
    expect(() => authorize(backEnd(), action, resource)).not.toThrow();
  });

  test.each([
    ['events:PutEvents', 'arn:of:AnotherBus'],
    ['dynamodb:PutItem', 'arn:of:Table'],
    ['dynamodb:UpdateItem', 'arn:of:Table'],
    ['dynamodb:DeleteItem', 'arn:of:Table'],
    ['dynamodb:BatchWriteItem', 'arn:of:Table'],
    ['dynamodb:GetItem', 'arn:of:AnotherTable'],
    ['secretsmanager:GetSecretValue', SECRET],
    ['sqs:SendMessage', 'arn:aws:sqs:us-east-1:000000000000:a-queue'],
    ['ssm:GetParameter', 'arn:aws:ssm:us-east-1:000000000000:parameter/another'],
  ])('may not do %s on %s', (action, resource) => {
    expect(() => authorize(backEnd(), action, resource)).toThrow(
      'User: arn:aws:iam::000000000000:user/back-end is not authorized to perform:',
    );
  });
});
