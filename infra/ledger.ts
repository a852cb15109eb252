import assert from 'node:assert/strict';
import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { LedgerAction } from '../shared/contract/endpoints.ts';
import {
  MEMBERS_INDEX_NAME,
  MESSAGE_RETENTION_DAYS,
  REMINDERS_INDEX_NAME,
  TABLE_NAME,
} from '../shared/contract/environment.ts';
import type { TidemarkFunction } from './function.ts';

const membersIndexName = 'members';
const remindersIndexName = 'reminders';

/** The DynamoDB table, which is the truth, and its stream, which feeds the cache and the events. */
export class Ledger extends Construct {
  readonly tableName: string;
  readonly streamArn: string;
  readonly #tableArn: string;
  readonly #messageRetentionDays: number;

  constructor(scope: Construct, id: string, messageRetentionDays: number) {
    super(scope, id);
    this.#messageRetentionDays = messageRetentionDays;
    const table = new Table(this, 'Table', {
      partitionKey: { name: 'PK', type: AttributeType.STRING },
      sortKey: { name: 'SK', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
      timeToLiveAttribute: 'expiresAt',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // With only keys projected, a watermark moves without a write to the index.
    table.addGlobalSecondaryIndex({
      indexName: membersIndexName,
      partitionKey: { name: 'groupId', type: AttributeType.STRING },
      sortKey: { name: 'userId', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    // Only messages whose reminder is not queued yet have these attributes: other messages cost no write to the index.
    table.addGlobalSecondaryIndex({
      indexName: remindersIndexName,
      partitionKey: { name: 'dueShard', type: AttributeType.STRING },
      sortKey: { name: 'due', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    this.tableName = table.tableName;
    this.#tableArn = table.tableArn;
    assert(table.tableStreamArn !== undefined, 'the table has a stream');
    this.streamArn = table.tableStreamArn;
  }

  /** Lets a function do these actions on the table, and sets the variables that describe the table. */
  allow(user: TidemarkFunction, actions: readonly LedgerAction[]): void {
    user.addEnvironment(TABLE_NAME, this.tableName);
    user.addEnvironment(MEMBERS_INDEX_NAME, membersIndexName);
    user.addEnvironment(MESSAGE_RETENTION_DAYS, String(this.#messageRetentionDays));
    user.allow(
      actions.map((action) => `dynamodb:${action}`),
      this.#tableArn,
    );
  }

  /** Lets a function list the members of a group. */
  allowListingMembers(user: TidemarkFunction): void {
    user.allow(['dynamodb:Query'], `${this.#tableArn}/index/${membersIndexName}`);
  }

  /** Lets a function find the reminders that are due. */
  allowFindingReminders(user: TidemarkFunction): void {
    user.addEnvironment(REMINDERS_INDEX_NAME, remindersIndexName);
    user.allow(['dynamodb:Query'], `${this.#tableArn}/index/${remindersIndexName}`);
  }

  /** Lets a function read the stream. */
  allowReadingStream(reader: TidemarkFunction): void {
    reader.allow(
      ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:ListStreams'],
      this.streamArn,
    );
  }
}
