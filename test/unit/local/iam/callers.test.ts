import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Template } from '../../../../local/aws/cloudformation/template.ts';
import { credentialsOf, ledgerOwner } from '../../../../local/aws/credentials.ts';
import { authorize } from '../../../../local/aws/iam/authorize.ts';
import { Callers, OPERATOR } from '../../../../local/aws/iam/callers.ts';
import { Secrets } from '../../../../local/aws/secrets.ts';

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
        GlobalSecondaryIndexes: [],
        StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
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
  const keysOf = () => {
    const secrets = new Secrets(file);
    const callers = new Callers(template, secrets);
    const all = [callers.backEnd, callers.ofFunction('first'), callers.ofFunction('second')];
    return [...all, credentialsOf(secrets, OPERATOR)].map(({ accessKeyId }) => accessKeyId);
  };
  const keys = keysOf();
  expect(new Set([...keys, 'TheKeyOfTheDatabase']).size).toBe(5);
  expect(keysOf()).toEqual(keys);
  expect(keys.map((key) => /^[A-Za-z0-9]{32}$/.test(key))).toEqual([true, true, true, true]);
});

test('the database of an earlier version still belongs to its access key, which is no caller', () => {
  expect(ledgerOwner(new Secrets(file)).accessKeyId).toBe('TheKeyOfTheDatabase');
  expect(new Callers(template, new Secrets(file)).byAccessKeyId('TheKeyOfTheDatabase')).toBeUndefined();
});

test('an operator may do anything, under the credentials that the data directory keeps for one', () => {
  const { accessKeyId, secretAccessKey } = credentialsOf(new Secrets(file), OPERATOR);
  const caller = new Callers(template, new Secrets(file)).byAccessKeyId(accessKeyId);
  if (!caller) throw new Error('the operator is not known');
  expect(caller.secretAccessKey).toBe(secretAccessKey);
  for (const action of ['sqs:StartMessageMoveTask', 'lambda:InvokeFunction', 'dynamodb:GetRecords'])
    expect(() => authorize(caller.principal, action, 'arn:of:anything')).not.toThrow();
});

describe('a back end', () => {
  const backEnd = () => new Callers(template, new Secrets(file)).backEnd.principal;
  const SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:upstash-local1';

  test.each([
    ['events:PutEvents', 'arn:of:Bus'],
    ['dynamodb:GetItem', 'arn:of:Table'],
    ['dynamodb:BatchGetItem', 'arn:of:Table'],
    ['dynamodb:Query', 'arn:of:Table'],
    ['dynamodb:Query', 'arn:of:Table/index/members'],
    ['dynamodb:Scan', 'arn:of:Table'],
    ['dynamodb:DescribeTable', 'arn:of:Table'],
    ['dynamodb:ListTables', '*'],
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
    ['lambda:InvokeFunction', 'arn:aws:lambda:us-east-1:000000000000:function:first'],
    ['secretsmanager:DescribeSecret', SECRET],
    ['ssm:GetParameter', 'arn:aws:ssm:us-east-1:000000000000:parameter/cdk-bootstrap/hnb659fds/version'],
  ])('may not do %s on %s', (action, resource) => {
    expect(() => authorize(backEnd(), action, resource)).toThrow(
      'User: arn:aws:iam::000000000000:user/back-end is not authorized to perform:',
    );
  });
});
