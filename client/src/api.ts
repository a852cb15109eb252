import type {
  DeliveredMoved,
  Health,
  InboxPage,
  MarkOutcomes,
  MemberJoined,
  MembersAdded,
  MembersPage,
  MessageRecorded,
  MessageStatuses,
  Receipts,
  ReceiptsPage,
  Watermark,
  WatermarkMoved,
} from './answers.ts';
import { type ApiOptions, type CallOptions, send } from './transport.ts';

/** A call takes the fields of the path, the query and the body together. It throws a TidemarkError. */
type Call<Fields, Answer> = (fields: Fields, options?: CallOptions) => Promise<Answer>;

/** A mark of a batch. */
export interface Mark {
  groupId: string;
  messageId: string;
  private?: boolean | undefined;
  ifRevision?: number | undefined;
  /** Marks delivered only; then neither `private` nor `ifRevision` is allowed. */
  delivered?: boolean | undefined;
}

/** The routes of a user. */
export interface UserCalls {
  /** Moves the watermark forward. A `revision_conflict` has the current state in the error's `problem`. */
  markRead: Call<
    {
      groupId: string;
      messageId: string;
      private?: boolean | undefined;
      ifRevision?: number | undefined;
    },
    WatermarkMoved
  >;
  /** Makes a message and all later ones unread again, only for the user. */
  markUnread: Call<{ groupId: string; messageId: string }, Watermark>;
  markDelivered: Call<{ groupId: string; messageId: string }, DeliveredMoved>;
  /** At most 100 marks. */
  markGroups: Call<{ marks: readonly Mark[] }, MarkOutcomes>;
  getWatermark: Call<{ groupId: string }, Watermark>;
  getMessageStatus: Call<{ groupId: string; messageIds: readonly string[] }, MessageStatuses>;
  /** `limit` is at most 200. */
  getInbox: Call<
    { unreadOnly?: boolean | undefined; limit?: number | undefined; cursor?: string | undefined },
    InboxPage
  >;
  /** Who has read a message, has not, or has received it. `limit` is at most 500. */
  listReceipts: Call<
    {
      groupId: string;
      messageId: string;
      state?: 'read' | 'unread' | 'delivered' | undefined;
      limit?: number | undefined;
      cursor?: string | undefined;
    },
    ReceiptsPage
  >;
  /** How many have read each of at most 100 messages. */
  countReceipts: Call<{ groupId: string; messageIds: readonly string[] }, Receipts>;
}

/** The routes of a back end. */
export interface ServiceCalls {
  /** `joinedAfter` is where the member starts; null is before the first message, and without it it is the head. */
  addMember: Call<{ groupId: string; userId: string; joinedAfter?: string | null | undefined }, MemberJoined>;
  /** At most 100 users. */
  addMembers: Call<{ groupId: string; userIds: readonly string[] }, MembersAdded>;
  listMembers: Call<
    { groupId: string; limit?: number | undefined; cursor?: string | undefined },
    MembersPage
  >;
  removeMember: Call<{ groupId: string; userId: string }, undefined>;
  /**
   * `sentAt` is an RFC 3339 time. A `silent` message is never unread. `advanceSender: false` leaves the sender's watermark
   * where it is. `remindAfterSeconds` is an integer from 60 to 604,800.
   */
  recordMessage: Call<
    {
      groupId: string;
      messageId: string;
      senderId: string;
      sentAt?: string | undefined;
      silent?: boolean | undefined;
      mentions?: readonly string[] | 'all' | undefined;
      advanceSender?: boolean | undefined;
      remindAfterSeconds?: number | undefined;
    },
    MessageRecorded
  >;
  deleteMessage: Call<{ groupId: string; messageId: string }, undefined>;
}

export interface UserApi extends UserCalls {
  /** Returns also what is not healthy. */
  checkHealth(options?: CallOptions): Promise<Health>;
}

export interface ServiceApi extends ServiceCalls {
  /** The routes of a user, called by a back end on the user's behalf. */
  onBehalfOf(userId: string): UserCalls;
  checkHealth(options?: CallOptions): Promise<Health>;
}

type Routes<Calls> = { readonly [Name in keyof Calls]: `${'DELETE' | 'GET' | 'POST' | 'PUT'} /${string}` };

export const USER_ROUTES: Routes<UserCalls> = {
  markRead: 'PUT /groups/{groupId}/watermark',
  markUnread: 'POST /groups/{groupId}/unread',
  markDelivered: 'PUT /groups/{groupId}/delivered',
  markGroups: 'POST /watermarks',
  getWatermark: 'GET /groups/{groupId}/watermark',
  getMessageStatus: 'POST /groups/{groupId}/messages/status',
  getInbox: 'GET /inbox',
  listReceipts: 'GET /groups/{groupId}/messages/{messageId}/receipts',
  countReceipts: 'POST /groups/{groupId}/receipts',
};

export const SERVICE_ROUTES: Routes<ServiceCalls> = {
  addMember: 'PUT /groups/{groupId}/members/{userId}',
  addMembers: 'POST /groups/{groupId}/members',
  listMembers: 'GET /groups/{groupId}/members',
  removeMember: 'DELETE /groups/{groupId}/members/{userId}',
  recordMessage: 'POST /groups/{groupId}/messages',
  deleteMessage: 'DELETE /groups/{groupId}/messages/{messageId}',
};

/** The calls of a user, with the user's token. */
export function createUserApi(options: ApiOptions): UserApi {
  return { ...callsOf(options, USER_ROUTES), ...healthOf(options) };
}

/** The calls of a back end, with a token for services. */
export function createServiceApi(options: ApiOptions): ServiceApi {
  return {
    ...callsOf(options, SERVICE_ROUTES),
    ...healthOf(options),
    onBehalfOf: (userId) => callsOf(options, USER_ROUTES, `/users/${segment(userId)}`),
  };
}

function healthOf(options: ApiOptions): Pick<UserApi, 'checkHealth'> {
  const request = { method: 'GET', path: '/health' };
  return { checkHealth: (given) => send(options, request, given, 503) as Promise<Health> };
}

/** The types of the calls are those of `Calls`; what is sent follows from the route alone. */
function callsOf<Calls>(options: ApiOptions, routes: Routes<Calls>, prefix = ''): Calls {
  return Object.fromEntries(
    Object.entries<string>(routes).map(([name, route]) => [
      name,
      async (fields: Readonly<Record<string, unknown>>, given?: CallOptions) =>
        send(options, requestOf(route, prefix, fields), given),
    ]),
  ) as Calls;
}

function requestOf(route: string, prefix: string, fields: Readonly<Record<string, unknown>>) {
  const [method = '', pattern = ''] = route.split(' ');
  const rest = { ...fields };
  const path = pattern.replace(/\{(\w+)\}/g, (_braces, name: string) => {
    const id = segment(String(rest[name]));
    delete rest[name];
    return id;
  });
  if (method.startsWith('P')) return { method, path: prefix + path, body: rest };
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  const query = String(new URLSearchParams(given as [string, string][]));
  return { method, path: prefix + path + (query && `?${query}`) };
}

/** Throws a RangeError where a URL would lose the segment, so that the call would reach another route. */
function segment(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new RangeError(`not an id: ${id}`);
  return encodeURIComponent(id);
}
