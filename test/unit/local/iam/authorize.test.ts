import { describe, expect, test } from '@jest/globals';
import { authorize } from '../../../../local/aws/iam/authorize.ts';
import { Principal } from '../../../../local/aws/iam/principal.ts';

const ROLE = 'arn:aws:sts::000000000000:assumed-role/a-role/a-function';
const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table/ledger';

type Statement = readonly [effect: 'Allow', actions: string[], resources: string[]];

function principal(...statements: Statement[]): Principal {
  const Statement = statements.map(([Effect, Action, Resource]) => ({ Effect, Action, Resource }));
  return new Principal(ROLE, [{ Version: '2012-10-17', Statement }]);
}

const allowing = (action: string, resource: string) => principal(['Allow', [action], [resource]]);

describe('a statement', () => {
  test.each([
    ['the same', 'dynamodb:GetItem', TABLE, 'dynamodb:GetItem', TABLE],
    ['the action in other letters', 'DynamoDB:getitem', TABLE, 'dynamodb:GetItem', TABLE],
    ['any action of the service', 'dynamodb:*', TABLE, 'dynamodb:GetItem', TABLE],
    ['any action', '*', TABLE, 'dynamodb:GetItem', TABLE],
    ['any resource', 'dynamodb:GetItem', '*', 'dynamodb:GetItem', TABLE],
    ['any index', 'dynamodb:Query', `${TABLE}/index/*`, 'dynamodb:Query', `${TABLE}/index/members`],
  ])('allows %s', (_what, action, resource, askedAction, askedResource) => {
    expect(() => authorize(allowing(action, resource), askedAction, askedResource)).not.toThrow();
  });

  test.each([
    ['another action', 'dynamodb:GetItem', TABLE, 'dynamodb:PutItem', TABLE],
    ['a longer action', 'dynamodb:GetItem', TABLE, 'dynamodb:GetItems', TABLE],
    ['another table', 'dynamodb:GetItem', TABLE, 'dynamodb:GetItem', `${TABLE}s`],
    ['an index of the table', 'dynamodb:Query', TABLE, 'dynamodb:Query', `${TABLE}/index/members`],
    ['the table of an index', 'dynamodb:Query', `${TABLE}/index/*`, 'dynamodb:Query', TABLE],
    ['the resource in other letters', 'dynamodb:GetItem', TABLE, 'dynamodb:GetItem', TABLE.toUpperCase()],
    ['no character for one', 'dynamodb:GetItem', `${TABLE}?`, 'dynamodb:GetItem', TABLE],
    ['a dot for any character', 'dynamodb:GetItem', 'a.b', 'dynamodb:GetItem', 'axb'],
  ])('does not allow %s', (_what, action, resource, askedAction, askedResource) => {
    expect(() => authorize(allowing(action, resource), askedAction, askedResource)).toThrow(
      'is not authorized to perform',
    );
  });
});

test('what no statement allows is denied as AWS words it', () => {
  expect(() => authorize(allowing('dynamodb:GetItem', TABLE), 'dynamodb:UpdateItem', TABLE)).toThrow(
    `User: ${ROLE} is not authorized to perform: dynamodb:UpdateItem on resource: ${TABLE} ` +
      'because no identity-based policy allows the dynamodb:UpdateItem action',
  );
});

test('a grant is used once a call needed it, and a refused call uses none', () => {
  const reader = principal(['Allow', ['dynamodb:GetItem', 'dynamodb:Query'], [TABLE, `${TABLE}/index/*`]]);
  authorize(reader, 'dynamodb:GetItem', TABLE);
  authorize(reader, 'dynamodb:Query', `${TABLE}/index/members`);
  expect(() => authorize(reader, 'dynamodb:PutItem', TABLE)).toThrow();
  expect(reader.grants).toEqual([
    { action: 'dynamodb:GetItem', resource: TABLE, isUsed: true },
    { action: 'dynamodb:GetItem', resource: `${TABLE}/index/*`, isUsed: false },
    { action: 'dynamodb:Query', resource: TABLE, isUsed: false },
    { action: 'dynamodb:Query', resource: `${TABLE}/index/*`, isUsed: true },
  ]);
});
