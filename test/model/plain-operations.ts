import { A_BOT, ALL_GROUPS, GROUPS_OF_ROUTES } from './choices.ts';
import {
  type Attributes,
  type GroupSettings,
  NO_ATTRIBUTES,
  NO_PATCH,
  type PreferencesPatch,
} from './model.ts';
import type { EntryWith, IfRevision, Operation } from './operations.ts';

/** Operations with none of their options, or with few. The user calls them, if a user can. */

export interface There {
  readonly groupId: string;
  readonly userId: string;
}

const byUser = { by: 'user' } as const;

export const join = (there: There): Operation => ({ kind: 'join', ...there, joinedAfter: undefined });
export const leave = ({ groupId, userId }: There): Operation => ({ kind: 'leave', groupId, userId });
export const listMembers = (groupId: string): Operation => ({
  kind: 'list members',
  groupId,
  limit: undefined,
});

export const send = (
  groupId: string,
  messageId: bigint,
  senderId: string = A_BOT,
  attributes: Attributes = NO_ATTRIBUTES,
): Operation => ({ kind: 'record', groupId, messageId, senderId, sentAt: undefined, attributes });
export const remove = (groupId: string, messageId: bigint): Operation => ({
  kind: 'delete',
  groupId,
  messageId,
});

type MarkOptions = Pick<EntryWith<IfRevision>, 'isPrivate' | 'ifRevision'>;

export const mark = (there: There, messageId: bigint, options: Partial<MarkOptions> = {}): Operation => ({
  kind: 'mark',
  ...there,
  ...byUser,
  messageId,
  isPrivate: undefined,
  ifRevision: undefined,
  ...options,
});
/** A mark as the only entry of a batch. */
export const markInBatch = (
  { groupId, userId }: There,
  messageId: bigint,
  options: Partial<MarkOptions> = {},
): Operation => ({
  kind: 'mark several',
  userId,
  ...byUser,
  marks: [
    { groupId, messageId, isPrivate: undefined, ifRevision: undefined, isDelivered: undefined, ...options },
  ],
});
export const markUnread = (there: There, messageId: bigint): Operation => ({
  kind: 'mark unread',
  ...there,
  ...byUser,
  messageId,
});
export const markDelivered = (there: There, messageId: bigint): Operation => ({
  kind: 'mark delivered',
  ...there,
  ...byUser,
  messageId,
});
export const getWatermark = (there: There): Operation => ({ kind: 'get watermark', ...there, ...byUser });
export const getStatus = (there: There, messageIds: readonly bigint[]): Operation => ({
  kind: 'get status',
  ...there,
  ...byUser,
  messageIds,
});

export const listReceipts = (
  there: There,
  messageId: bigint,
  state: 'read' | 'unread' | 'delivered' | undefined = undefined,
): Operation => ({ kind: 'list receipts', ...there, ...byUser, messageId, state, limit: undefined });
export const countReceipts = (there: There, messageIds: readonly bigint[]): Operation => ({
  kind: 'count receipts',
  ...there,
  ...byUser,
  messageIds,
});

export const getPreferences = (there: There): Operation => ({
  kind: 'get preferences',
  ...there,
  ...byUser,
});
export const setPreferences = (there: There, patch: Partial<PreferencesPatch>): Operation => ({
  kind: 'set preferences',
  ...there,
  ...byUser,
  patch: { ...NO_PATCH, ...patch },
});

export const setGroup = (groupId: string, settings: Partial<GroupSettings>): Operation => ({
  kind: 'set group',
  groupId,
  parentId: undefined,
  receipts: undefined,
  ...settings,
});

export const getBadge = (userId: string): Operation => ({ kind: 'get badge', userId, ...byUser });
/** Reads the whole inbox of a user. */
export const inboxOf = (userId: string, archived: boolean | undefined, parentId?: string): Operation => ({
  kind: 'inbox',
  userId,
  ...byUser,
  unreadOnly: undefined,
  limit: undefined,
  parentId,
  archived,
  among: ALL_GROUPS,
});

/** Reads all that is stored of a user. */
export const exportOf = (userId: string): Operation => ({ kind: 'export', userId, among: GROUPS_OF_ROUTES });
