import type {
  Badges,
  Group,
  Health,
  MemberJoined,
  MembersAdded,
  MembersPage,
  MessageRecorded,
  RecordOutcomes,
  UserExport,
} from './answers.ts';
import { type Call, callsOf, type Routes, segment, USER_ROUTES, type UserCalls } from './api.ts';
import { type ApiOptions, type CallOptions, send } from './transport.ts';

export type * from './answers.ts';
export type { Mark, UserCalls } from './api.ts';
export { type ErrorCode, type Problem, TidemarkError } from './error.ts';
export type { ApiOptions, CallOptions, Fetch, TokenSource } from './transport.ts';

/** A message that was sent. */
export interface SentMessage {
  groupId: string;
  messageId: string;
  senderId: string;
  /** An RFC 3339 time. */
  sentAt?: string | undefined;
  /** A silent message is never unread. */
  silent?: boolean | undefined;
  /** At most 100 users, or all members. */
  mentions?: readonly string[] | 'all' | undefined;
  /** False leaves the sender's watermark where it is. */
  advanceSender?: boolean | undefined;
  /** From 60 to 604,800. */
  remindAfterSeconds?: number | undefined;
}

/** The routes of a back end. */
export interface ServiceCalls {
  /** The member starts after `joinedAfter`: null is before the first message. Without it the member starts at the head. */
  addMember: Call<{ groupId: string; userId: string; joinedAfter?: string | null | undefined }, MemberJoined>;
  /** At most 100 users. */
  addMembers: Call<{ groupId: string; userIds: readonly string[] }, MembersAdded>;
  listMembers: Call<
    { groupId: string; limit?: number | undefined; cursor?: string | null | undefined },
    MembersPage
  >;
  removeMember: Call<{ groupId: string; userId: string }, undefined>;
  recordMessage: Call<SentMessage, MessageRecorded>;
  /** At most 100 messages. */
  recordMessages: Call<{ messages: readonly SentMessage[] }, RecordOutcomes>;
  deleteMessage: Call<{ groupId: string; messageId: string }, undefined>;
  getGroup: Call<{ groupId: string }, Group>;
  /** What is left out stays as it is. `parentId` can be set once: another one later is a `conflict`. */
  setGroup: Call<
    {
      groupId: string;
      parentId?: string | null | undefined;
      receipts?: 'members' | 'sender' | 'off' | undefined;
    },
    Group
  >;
  /** The badges of at most 100 users, in the order asked. */
  countBadges: Call<{ userIds: readonly string[] }, Badges>;
  /** Deletes a group: it is empty at once, and may be used again. The event `GroupDeleted` reports the end. */
  deleteGroup: Call<{ groupId: string }, undefined>;
  /** Erases all that is stored of a user. The event `UserErased` reports the end. */
  eraseUser: Call<{ userId: string }, undefined>;
  /** A page of all that is stored of a user. */
  exportUser: Call<{ userId: string; cursor?: string | null | undefined }, UserExport>;
}

export interface ServiceApi extends ServiceCalls {
  /** The routes of a user, called by a back end on the user's behalf. */
  onBehalfOf(userId: string): UserCalls;
  /** Also returns the state if the service is `unavailable`, which has the status 503. */
  checkHealth(options?: CallOptions): Promise<Health>;
}

export const SERVICE_ROUTES: Routes<ServiceCalls> = {
  addMember: 'PUT /groups/{groupId}/members/{userId}',
  addMembers: 'POST /groups/{groupId}/members',
  listMembers: 'GET /groups/{groupId}/members',
  removeMember: 'DELETE /groups/{groupId}/members/{userId}',
  recordMessage: 'POST /groups/{groupId}/messages',
  recordMessages: 'POST /messages',
  deleteMessage: 'DELETE /groups/{groupId}/messages/{messageId}',
  getGroup: 'GET /groups/{groupId}',
  setGroup: 'PUT /groups/{groupId}',
  countBadges: 'POST /badges',
  deleteGroup: 'DELETE /groups/{groupId}',
  eraseUser: 'DELETE /users/{userId}',
  exportUser: 'GET /users/{userId}/export',
};

/** The calls of a back end, with a token for services. */
export function createServiceApi(options: ApiOptions): ServiceApi {
  return {
    ...callsOf(options, SERVICE_ROUTES),
    checkHealth: (given) => send(options, { method: 'GET', path: '/health' }, given, 503) as Promise<Health>,
    onBehalfOf: (userId) => callsOf(options, USER_ROUTES, `/users/${segment(userId)}`),
  };
}
