import { expect, test } from '@jest/globals';
import { ledgerTableOf, resourcesOf } from '../../../local/aws/cloudformation/properties.ts';
import { joinTemplates, type Template } from '../../../local/aws/cloudformation/template.ts';

interface Given {
  readonly stackName: string;
  /** The names of queues by their logical ids. */
  readonly queues?: Readonly<Record<string, string>>;
  readonly assets?: Readonly<Record<string, string>>;
}

function templateOf({ stackName, queues = {}, assets = {} }: Given): Template {
  return {
    stackName,
    resources: Object.entries(queues).map(([logicalId, QueueName]) => ({
      logicalId,
      type: 'AWS::SQS::Queue',
      properties: { QueueName },
    })),
    identityOf(logicalId) {
      const ref = queues[logicalId];
      if (ref === undefined) throw new Error(`${stackName} has no ${logicalId}`);
      return { ref, attributes: {} };
    },
    assetDirectory: (key) => assets[key],
  };
}

test('stacks with the same logical ids stand side by side, each with its own names and assets', () => {
  const own = templateOf({ stackName: 'own', queues: { Work: 'own-work' }, assets: { a: '/own/a' } });
  const one = templateOf({ stackName: 'one', queues: { Work: 'one-work' }, assets: { b: '/one/b' } });
  const two = templateOf({ stackName: 'two', queues: { Work: 'two-work' }, assets: { c: '/two/c' } });
  const joined = joinTemplates(own, [one, two]);
  expect(joined.stackName).toBe('own');
  expect(
    resourcesOf(joined, 'AWS::SQS::Queue').map(({ logicalId }) => [
      logicalId,
      joined.identityOf(logicalId).ref,
    ]),
  ).toEqual([
    ['Work', 'own-work'],
    ['one/Work', 'one-work'],
    ['two/Work', 'two-work'],
  ]);
  expect(['a', 'b', 'c', 'd'].map((key) => joined.assetDirectory(key))).toEqual([
    '/own/a',
    '/one/b',
    '/two/c',
    undefined,
  ]);
});

test('two resources of one name are refused, as on AWS', () => {
  const own = templateOf({ stackName: 'own', queues: { Work: 'work' } });
  const other = templateOf({ stackName: 'other', queues: { Mine: 'work' } });
  expect(() => joinTemplates(own, [other])).toThrow('other/Mine and Work are both called work');
});

test('of several tables the ledger is the one with a stream', () => {
  const table = (logicalId: string, more: object) => ({
    logicalId,
    type: 'AWS::DynamoDB::Table',
    properties: {
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      ...more,
    },
  });
  const streamed = { StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' } };
  const template = (...resources: Template['resources']): Template => ({
    ...templateOf({ stackName: 'own' }),
    resources,
  });
  expect(ledgerTableOf(template(table('Seen', {}), table('Ledger', streamed))).logicalId).toBe('Ledger');
  expect(() => ledgerTableOf(template(table('Seen', {})))).toThrow(
    'expected one table with a stream, found none',
  );
  expect(() => ledgerTableOf(template(table('Seen', streamed), table('Ledger', streamed)))).toThrow(
    'expected one table with a stream, found Seen, Ledger',
  );
});
