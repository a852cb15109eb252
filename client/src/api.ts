import type {
  Badge,
  DeliveredMoved,
  InboxPage,
  MarkAllOutcomes,
  MarkOutcomes,
  MessageStatuses,
  Preferences,
  Receipts,
  ReceiptsPage,
  Watermark,
  WatermarkMoved,
} from './answers.ts';
import { type ApiOptions, type CallOptions, send } from './transport.ts';

/**
 * A call takes the fields of the path, the query and the body together. It throws a TidemarkError. A `cursor` is that of the
 * answer before; without it or with null, the call begins at the start.
 */
export type Call<Fields, Answer> = (
  ...given: Partial<Fields> extends Fields
    ? [fields?: Fields, options?: CallOptions]
    : [fields: Fields, options?: CallOptions]
) => Promise<Answer>;

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
  /** Without `archived`, no group that is archived; with `parentId`, only the threads of that group. `limit` is at most 200. */
  getInbox: Call<
    {
      unreadOnly?: boolean | undefined;
      archived?: boolean | undefined;
      parentId?: string | undefined;
      limit?: number | undefined;
      cursor?: string | null | undefined;
    },
    InboxPage
  >;
  /** Marks up to 100 groups read up to their heads, archived ones too; with `parentId`, only the threads of that group. */
  markAll: Call<
    { parentId?: string | undefined; unmutedOnly?: boolean | undefined; cursor?: string | null | undefined },
    MarkAllOutcomes
  >;
  /** Counts at most 500 messages of a group. */
  getBadge: Call<Readonly<Record<never, never>>, Badge>;
  /** Who has read a message, has not, or has received it. `limit` is at most 500. */
  listReceipts: Call<
    {
      groupId: string;
      messageId: string;
      state?: 'read' | 'unread' | 'delivered' | undefined;
      limit?: number | undefined;
      cursor?: string | null | undefined;
    },
    ReceiptsPage
  >;
  /** How many have read each of at most 100 messages. */
  countReceipts: Call<{ groupId: string; messageIds: readonly string[] }, Receipts>;
  getPreferences: Call<{ groupId: string }, Preferences>;
  /** What is left out stays as it is. `mutedUntil` is an RFC 3339 time, or null. */
  setPreferences: Call<
    {
      groupId: string;
      notify?: 'all' | 'mentions' | 'none' | undefined;
      mutedUntil?: string | null | undefined;
      hideReceipts?: boolean | undefined;
      archive?: 'no' | 'untilNew' | 'always' | undefined;
    },
    Preferences
  >;
}

export type Routes<Calls> = {
  readonly [Name in keyof Calls]: `${'DELETE' | 'GET' | 'PATCH' | 'POST' | 'PUT'} /${string}`;
};

export const USER_ROUTES: Routes<UserCalls> = {
  markRead: 'PUT /groups/{groupId}/watermark',
  markUnread: 'POST /groups/{groupId}/unread',
  markDelivered: 'PUT /groups/{groupId}/delivered',
  markGroups: 'POST /watermarks',
  getWatermark: 'GET /groups/{groupId}/watermark',
  getMessageStatus: 'POST /groups/{groupId}/messages/status',
  getInbox: 'GET /inbox',
  markAll: 'POST /watermarks/all',
  getBadge: 'GET /badge',
  listReceipts: 'GET /groups/{groupId}/messages/{messageId}/receipts',
  countReceipts: 'POST /groups/{groupId}/receipts',
  getPreferences: 'GET /groups/{groupId}/preferences',
  setPreferences: 'PATCH /groups/{groupId}/preferences',
};

/** The calls of a user, with the user's token. */
export function createUserApi(options: ApiOptions): UserCalls {
  return callsOf(options, USER_ROUTES);
}

/** The types of the calls are those of `Calls`. What a call sends follows from its route alone. */
export function callsOf<Calls>(options: ApiOptions, routes: Routes<Calls>, prefix = ''): Calls {
  return Object.fromEntries(
    Object.entries<string>(routes).map(([name, route]) => [
      name,
      async (fields?: Readonly<Record<string, unknown>>, given?: CallOptions) =>
        send(options, requestOf(route, prefix, fields), given),
    ]),
  ) as Calls;
}

function requestOf(route: string, prefix: string, fields?: Readonly<Record<string, unknown>>) {
  const [method, pattern] = route.split(' ') as [string, string];
  const rest = { ...fields };
  // A `cursor` of null begins at the start, and is left out. Other fields may be null in a request.
  rest.cursor ??= undefined;
  const path =
    prefix +
    pattern.replace(/\{(\w+)\}/g, (_braces, name: string) => {
      const id = segment(String(rest[name]));
      delete rest[name];
      return id;
    });
  // This leaves out what is undefined, for the query too.
  const body = JSON.stringify(rest);
  if (method.startsWith('P')) return { method, path, body };
  const query = String(new URLSearchParams(JSON.parse(body) as Record<string, string>));
  return { method, path: path + (query && `?${query}`) };
}

/** Throws a RangeError where a URL would lose the segment, so that the call would reach another route. */
export function segment(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new RangeError(`not an id: ${id}`);
  return encodeURIComponent(id);
}
