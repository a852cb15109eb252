import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';

export type Key = { readonly PK: AttributeValue.SMember; readonly SK: AttributeValue.SMember };

/** Keys are built here and parsed nowhere: what an item is about stands in its attributes. */
export const membershipKey = (userId: UserId, groupId: GroupId): Key =>
  key(`USER#${userId}`, `GROUP#${groupId}`);

export const headKey = (groupId: GroupId): Key => key(`GROUP#${groupId}`, 'HEAD');

export const messageKey = (groupId: GroupId, position: Position): Key =>
  key(`GROUP#${groupId}`, `MSG#${position}`);

/** Greater than the sort key of every message. */
export const AFTER_ALL_MESSAGES = 'MSG#:';

function key(partition: string, sort: string): Key {
  return { PK: { S: partition }, SK: { S: sort } };
}
