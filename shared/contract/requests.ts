import type { Request } from './endpoint.ts';
import {
  archive,
  cursor,
  flag,
  flagParameter,
  hideReceipts,
  ifRevision,
  joinedAfter,
  limitTo200,
  limitTo500,
  marks,
  messageFields,
  messages,
  mutedUntil,
  notify,
  parameters,
  parentFilter,
  parentId,
  position,
  positions,
  receiptsPolicy,
  state,
  userIds,
} from './schemas.ts';

/*
 * The requests of each endpoint. This half of the contract goes into the bundles, each request only into the bundle of
 * the function that serves it. So nothing here may be the result of a call: the bundler would keep it in every bundle.
 * The other half, endpoints.ts, stays out of the bundles.
 */

export const markRead = {
  name: 'markRead',
  who: 'user',
  at: 'PUT /groups/{groupId}/watermark',
  path: parameters,
  body: { messageId: position, private: flag, ifRevision },
} as const satisfies Request;

export const markUnread = {
  name: 'markUnread',
  who: 'user',
  at: 'POST /groups/{groupId}/unread',
  path: parameters,
  body: { messageId: position },
} as const satisfies Request;

export const markDelivered = {
  name: 'markDelivered',
  who: 'user',
  at: 'PUT /groups/{groupId}/delivered',
  path: parameters,
  body: { messageId: position },
} as const satisfies Request;

export const markGroups = {
  name: 'markGroups',
  who: 'user',
  at: 'POST /watermarks',
  path: parameters,
  body: { marks },
} as const satisfies Request;

export const getWatermark = {
  name: 'getWatermark',
  who: 'user',
  at: 'GET /groups/{groupId}/watermark',
  path: parameters,
} as const satisfies Request;

export const getMessageStatus = {
  name: 'getMessageStatus',
  who: 'user',
  at: 'POST /groups/{groupId}/messages/status',
  path: parameters,
  body: { messageIds: positions },
} as const satisfies Request;

export const getInbox = {
  name: 'getInbox',
  who: 'user',
  at: 'GET /inbox',
  path: parameters,
  // A larger limit than other lists: a client should get its first screen in one call.
  query: {
    unreadOnly: flagParameter,
    archived: flagParameter,
    parentId: parentFilter,
    limit: limitTo200,
    cursor,
  },
} as const satisfies Request;

export const markAll = {
  name: 'markAll',
  who: 'user',
  at: 'POST /watermarks/all',
  path: parameters,
  optionalBody: { parentId: parentFilter, unmutedOnly: flag, cursor },
} as const satisfies Request;

export const getBadge = {
  name: 'getBadge',
  who: 'user',
  at: 'GET /badge',
  path: parameters,
} as const satisfies Request;

export const countBadges = {
  name: 'countBadges',
  who: 'service',
  at: 'POST /badges',
  path: parameters,
  body: { userIds },
} as const satisfies Request;

export const listReceipts = {
  name: 'listReceipts',
  who: 'user',
  at: 'GET /groups/{groupId}/messages/{messageId}/receipts',
  path: parameters,
  query: { state, limit: limitTo500, cursor },
} as const satisfies Request;

export const countReceipts = {
  name: 'countReceipts',
  who: 'user',
  at: 'POST /groups/{groupId}/receipts',
  path: parameters,
  body: { messageIds: positions },
} as const satisfies Request;

export const getPreferences = {
  name: 'getPreferences',
  who: 'user',
  at: 'GET /groups/{groupId}/preferences',
  path: parameters,
} as const satisfies Request;

export const setPreferences = {
  name: 'setPreferences',
  who: 'user',
  at: 'PATCH /groups/{groupId}/preferences',
  path: parameters,
  body: { notify, mutedUntil, hideReceipts, archive },
} as const satisfies Request;

export const addMember = {
  name: 'addMember',
  who: 'service',
  at: 'PUT /groups/{groupId}/members/{userId}',
  path: parameters,
  optionalBody: { joinedAfter },
} as const satisfies Request;

export const addMembers = {
  name: 'addMembers',
  who: 'service',
  at: 'POST /groups/{groupId}/members',
  path: parameters,
  body: { userIds },
} as const satisfies Request;

export const listMembers = {
  name: 'listMembers',
  who: 'service',
  at: 'GET /groups/{groupId}/members',
  path: parameters,
  query: { limit: limitTo500, cursor },
} as const satisfies Request;

export const removeMember = {
  name: 'removeMember',
  who: 'service',
  at: 'DELETE /groups/{groupId}/members/{userId}',
  path: parameters,
} as const satisfies Request;

export const recordMessage = {
  name: 'recordMessage',
  who: 'service',
  at: 'POST /groups/{groupId}/messages',
  path: parameters,
  body: messageFields,
} as const satisfies Request;

export const recordMessages = {
  name: 'recordMessages',
  who: 'service',
  at: 'POST /messages',
  body: { messages },
} as const satisfies Request;

export const deleteMessage = {
  name: 'deleteMessage',
  who: 'service',
  at: 'DELETE /groups/{groupId}/messages/{messageId}',
  path: parameters,
} as const satisfies Request;

export const getGroup = {
  name: 'getGroup',
  who: 'service',
  at: 'GET /groups/{groupId}',
  path: parameters,
} as const satisfies Request;

export const setGroup = {
  name: 'setGroup',
  who: 'service',
  at: 'PUT /groups/{groupId}',
  path: parameters,
  body: { parentId, receipts: receiptsPolicy },
} as const satisfies Request;

export const exportUser = {
  name: 'exportUser',
  who: 'service',
  at: 'GET /users/{userId}/export',
  path: parameters,
  query: { cursor },
} as const satisfies Request;

export const eraseUser = {
  name: 'eraseUser',
  who: 'service',
  at: 'DELETE /users/{userId}',
  path: parameters,
} as const satisfies Request;

export const deleteGroup = {
  name: 'deleteGroup',
  who: 'service',
  at: 'DELETE /groups/{groupId}',
  path: parameters,
} as const satisfies Request;

export const checkHealth = {
  name: 'checkHealth',
  who: 'anyone',
  at: 'GET /health',
} as const satisfies Request;
