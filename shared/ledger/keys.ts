import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Subject } from '../domain/erasure.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';

export type Key = { readonly PK: AttributeValue.SMember; readonly SK: AttributeValue.SMember };

/**
 * Each kind of item in the partition of a user, with the beginning of its sort key. Export and erasure go by this list:
 * a kind that is missing in one of them does not compile.
 */
export const USER_ITEMS = {
  membership: 'GROUP#',
  connection: 'CONN#',
  erasure: 'ERASURE',
} as const satisfies Readonly<Record<string, string>>;

export type UserItemKind = keyof typeof USER_ITEMS;

/** Keys are built here and parsed nowhere: the attributes of an item hold all that is in its key. */
export const membershipKey = ({ groupId, userId }: Member): Key => userKey(userId, 'membership', groupId);

export const headKey = (groupId: GroupId): Key => key(groupPartition(groupId), { S: 'HEAD' });

export const messageKey = (groupId: GroupId, position: Position): Key =>
  key(groupPartition(groupId), { S: `MSG#${position}` });

export const connectionKey = (userId: UserId, connectionId: string): Key =>
  userKey(userId, 'connection', connectionId);

/** The key of the item that exists while a subject is being erased. */
export const erasureKey = (subject: Subject): Key =>
  subject.kind === 'user'
    ? userKey(subject.userId, 'erasure', '')
    : key(groupPartition(subject.groupId), { S: USER_ITEMS.erasure });

/** The key of an item that was read, from its texts. */
export const storedKey = (PK: string, SK: string): Key => key({ S: PK }, { S: SK });

export const userPartition = (userId: UserId): AttributeValue.SMember => ({ S: `USER#${userId}` });

/** Below and above the sort key of every membership: `$` is just above `#`. */
export const BEFORE_ALL_GROUPS: AttributeValue.SMember = { S: 'GROUP#' };
export const AFTER_ALL_GROUPS: AttributeValue.SMember = { S: 'GROUP$' };

/** Below and above the sort key of every connection. */
export const BEFORE_ALL_CONNECTIONS: AttributeValue.SMember = { S: 'CONN#' };
export const AFTER_ALL_CONNECTIONS: AttributeValue.SMember = { S: 'CONN$' };

/** The smallest sort key above a given one: `BETWEEN` includes its bounds, so it excludes the given one. */
export const justAfter = ({ S }: AttributeValue.SMember): AttributeValue.SMember => ({ S: `${S}\u0000` });

/** Below and above the sort key of every message. */
export const BEFORE_ALL_MESSAGES = 'MSG#';
export const AFTER_ALL_MESSAGES = 'MSG#:';

function groupPartition(groupId: GroupId): AttributeValue.SMember {
  return { S: `GROUP#${groupId}` };
}

function userKey(userId: UserId, kind: UserItemKind, name: string): Key {
  return key(userPartition(userId), { S: `${USER_ITEMS[kind]}${name}` });
}

function key(PK: AttributeValue.SMember, SK: AttributeValue.SMember): Key {
  return { PK, SK };
}
