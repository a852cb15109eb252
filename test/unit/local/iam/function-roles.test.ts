import { expect, test } from '@jest/globals';
import type { Template } from '../../../../local/aws/cloudformation/template.ts';
import { authorize } from '../../../../local/aws/iam/authorize.ts';
import { functionPrincipals } from '../../../../local/aws/iam/function-roles.ts';

const statement = (Action: string, more: Record<string, unknown> = {}) => ({
  ...{ Effect: 'Allow', Action, Resource: 'arn:of:table' },
  ...more,
});
const document = (...Statement: unknown[]) => ({ Version: '2012-10-17', Statement });

/** A function `reader` with a role, and these properties of the role and of a separate policy. */
function templateOf(role: Record<string, unknown>, policy: Record<string, unknown> | null = null): Template {
  return {
    stackName: 'a-stack',
    resources: [
      {
        logicalId: 'Reader',
        type: 'AWS::Lambda::Function',
        properties: {
          FunctionName: 'reader',
          Role: 'arn:aws:iam::000000000000:role/Role',
          Handler: 'index.handler',
          Runtime: 'nodejs24.x',
          MemorySize: 128,
          Timeout: 3,
          Code: { S3Bucket: 'assets', S3Key: 'reader' },
        },
      },
      { logicalId: 'Role', type: 'AWS::IAM::Role', properties: role },
      ...(policy ? [{ logicalId: 'Policy', type: 'AWS::IAM::Policy', properties: policy }] : []),
    ],
    identityOf: (logicalId) => ({
      ref: logicalId,
      attributes: { Arn: `arn:aws:iam::000000000000:role/${logicalId}` },
    }),
    assetDirectory: () => undefined,
  };
}

test('a function may do what the policies of its role allow', () => {
  const template = templateOf(
    { AssumeRolePolicyDocument: {} },
    { Roles: ['Role'], PolicyDocument: document(statement('a:Beside')) },
  );
  const reader = functionPrincipals(template).get('reader');
  if (!reader) throw new Error('the function has no principal');
  expect(() => authorize(reader, 'a:Beside', 'arn:of:table')).not.toThrow();
  expect(() => authorize(reader, 'a:Other', 'arn:of:table')).toThrow(
    'User: arn:aws:sts::000000000000:assumed-role/Role/reader is not authorized to perform: a:Other',
  );
});

test.each([
  ['a condition', { PolicyDocument: document(statement('a:B', { Condition: { Bool: {} } })) }, 'Condition'],
  ['NotAction', { PolicyDocument: document({ Effect: 'Allow', NotAction: 'a:B', Resource: '*' }) }, 'Action'],
  [
    'NotResource',
    { PolicyDocument: document({ Effect: 'Allow', Action: 'a:B', NotResource: '*' }) },
    'Resource',
  ],
  [
    'a Deny',
    { PolicyDocument: document(statement('a:B', { Effect: 'Deny' })) },
    'the local stack does not support Deny here',
  ],
  [
    'a wildcard for one character',
    { PolicyDocument: document(statement('a:?')) },
    'the local stack supports only the wildcard *',
  ],
  ['a principal', { PolicyDocument: document(statement('a:B', { Principal: '*' })) }, 'Principal'],
  [
    'a policy variable',
    { PolicyDocument: document({ Effect: 'Allow', Action: 'a:B', Resource: `arn:of:\${aws:username}` }) },
    'the local stack does not support policy variables',
  ],
  ['an older language', { PolicyDocument: { Version: '2008-10-17', Statement: [] } }, 'Version'],
  ['a role that does not exist', { Roles: ['Nobody'] }, 'there is no role Nobody'],
])('%s in a policy stops the start', (_what, policy, fault) => {
  const template = templateOf({}, { Roles: ['Role'], PolicyDocument: document(), ...policy });
  expect(() => functionPrincipals(template)).toThrow(fault);
});

test.each([
  ['an inline policy', { Policies: [{ PolicyDocument: document(statement('a:B')) }] }, 'Policies'],
  [
    'a managed policy',
    { ManagedPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'] },
    'ManagedPolicyArns',
  ],
  ['a boundary', { PermissionsBoundary: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }, 'PermissionsBoundary'],
])('%s of a role stops the start', (_what, role, fault) => {
  expect(() => functionPrincipals(templateOf(role))).toThrow(fault);
});
