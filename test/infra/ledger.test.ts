import { expect, test } from '@jest/globals';
import { contextWithWebhook, ofType, synthesize } from './synthesized.ts';

const template = synthesize();

test('the ledger is kept when the stack is deleted, protected from deletion, and can be restored', () => {
  expect(ofType(template, 'AWS::DynamoDB::Table')).toMatchObject({
    LedgerTable: {
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      },
    },
  });
});

test('a failed first deployment leaves only the table behind, whose generated name cannot conflict with the next one', () => {
  const kept = Object.entries(synthesize(contextWithWebhook).Resources).filter(
    ([, { DeletionPolicy = 'Delete' }]) => DeletionPolicy !== 'Delete',
  );
  expect(kept.map(([id]) => id)).toEqual(['LedgerTable']);
  for (const [, { Properties }] of kept) {
    expect(Object.keys(Properties).filter((name) => /Name$/.test(name))).toEqual([]);
  }
});

test('the ledger is one on-demand table with a stream, expiry, the index of members and the one of reminders', () => {
  expect(template.Resources.LedgerTable?.Properties).toMatchObject({
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [
      { AttributeName: 'PK', KeyType: 'HASH' },
      { AttributeName: 'SK', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'PK', AttributeType: 'S' },
      { AttributeName: 'SK', AttributeType: 'S' },
      { AttributeName: 'groupId', AttributeType: 'S' },
      { AttributeName: 'userId', AttributeType: 'S' },
      { AttributeName: 'dueShard', AttributeType: 'S' },
      { AttributeName: 'due', AttributeType: 'S' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'members',
        KeySchema: [
          { AttributeName: 'groupId', KeyType: 'HASH' },
          { AttributeName: 'userId', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
      {
        IndexName: 'reminders',
        KeySchema: [
          { AttributeName: 'dueShard', KeyType: 'HASH' },
          { AttributeName: 'due', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
    TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
  });
});
