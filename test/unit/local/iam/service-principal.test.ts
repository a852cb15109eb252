import { expect, test } from '@jest/globals';
import * as v from 'valibot';
import { ResourcePolicyDocument } from '../../../../local/aws/iam/policy-document.ts';
import { servicePrincipal } from '../../../../local/aws/iam/service-principal.ts';

const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:queue';
const RULE = 'arn:aws:events:us-east-1:000000000000:rule/bus/rule';

const statement = (more: Record<string, unknown> = {}) => ({
  Effect: 'Allow',
  Principal: { Service: 'events.amazonaws.com' },
  Action: 'sqs:SendMessage',
  Resource: QUEUE,
  Condition: { ArnEquals: { 'aws:SourceArn': RULE } },
  ...more,
});

const policy = (...Statement: unknown[]) =>
  v.parse(ResourcePolicyDocument, { Version: '2012-10-17', Statement });

const decision = (...statements: unknown[]) =>
  servicePrincipal('events.amazonaws.com', RULE, [policy(...statements)]).allows('sqs:SendMessage', QUEUE);

const plainHttp = { Bool: { 'aws:SecureTransport': 'false' } };

test.each([
  ['under its condition', [statement()]],
  [
    'where only plain HTTP is denied',
    [statement(), statement({ Effect: 'Deny', Principal: { AWS: '*' }, Condition: plainHttp })],
  ],
])('a rule may send %s', (_how, statements) => {
  expect(decision(...statements)).toBe(true);
});

test.each([
  ['no statement', []],
  ['another rule', [statement({ Condition: { ArnEquals: { 'aws:SourceArn': `${RULE}2` } } })]],
  ['another service', [statement({ Principal: { Service: 'sns.amazonaws.com' } })]],
  ['another action', [statement({ Action: 'sqs:ReceiveMessage' })]],
  ['another queue', [statement({ Resource: `${QUEUE}2` })]],
])('a rule may not send where the policy allows %s', (_what, statements) => {
  expect(decision(...statements)).toBe(false);
});

test.each([
  ['no condition', statement({ Condition: undefined })],
  ['anybody', statement({ Principal: { AWS: '*' } })],
  ['plain HTTP that is let in', statement({ Condition: plainHttp })],
  ['a Deny of anything but plain HTTP', statement({ Effect: 'Deny' })],
  ['another condition', statement({ Condition: { StringEquals: { 'aws:SourceAccount': '1' } } })],
  ['two conditions', statement({ Condition: { ...plainHttp, ArnEquals: { 'aws:SourceArn': RULE } } })],
  ['a wildcard for the rule', statement({ Condition: { ArnEquals: { 'aws:SourceArn': 'arn:*' } } })],
  ['a principal that is a user', statement({ Principal: { AWS: 'arn:aws:iam::000000000000:user/ann' } })],
  ['everybody but some', statement({ Principal: undefined, NotPrincipal: { AWS: '*' } })],
])('%s in the policy of a resource is not half understood', (_what, given) => {
  expect(() => policy(given)).toThrow();
});
