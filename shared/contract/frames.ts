import * as v from 'valibot';
import * as requests from './requests.ts';
import { groupId, listOf } from './schemas.ts';

/*
 * What clients send over a WebSocket, and what every frame has in common. This half of the contract goes into the bundle of
 * the function that answers frames. The other half, server-frames.ts, stays out of the bundles.
 */

/** The subprotocol that a client asks for and the service picks. */
export const SUBPROTOCOL = 'tidemark.v1';

/** What precedes the token among the subprotocols that a client asks for. A browser can send a token in no other header. */
export const TOKEN_PREFIX = 'bearer.';

/** The largest frame in either direction, in bytes. API Gateway closes a connection that sends a larger one, with 1009. */
export const MAX_FRAME_BYTES = 32_768;

/** At this many connections of one user, a further one closes the oldest. */
export const MAX_CONNECTIONS = 20;

/** The messages that one `receipts` frame has at most: the newest ones. */
export const MAX_RECEIPTS = 20;

/** The views that one `synced` frame has at most. */
export const MAX_VIEWS = 200;

/** Named by the client; the answer has the same. */
export const ref = /* @__PURE__ */ v.union(
  [
    /* @__PURE__ */ v.pipe(
      /* @__PURE__ */ v.string(),
      /* @__PURE__ */ v.minLength(1),
      /* @__PURE__ */ v.maxLength(64),
    ),
    /* @__PURE__ */ v.pipe(/* @__PURE__ */ v.number(), /* @__PURE__ */ v.safeInteger()),
  ],
  'must be a string of 1 to 64 characters, or an integer',
);

/** Asks for the own views of these groups, or of all groups in which something is unread. */
export const sync = {
  action: 'sync',
  fields: { ref: /* @__PURE__ */ v.optional(ref), groups: /* @__PURE__ */ v.optional(listOf(groupId)) },
} as const;

/** The actions that do what a route does. Beside `action` and `ref`, each takes the route's `groupId` and its body. */
export const routeActions = {
  mark: requests.markRead,
  delivered: requests.markDelivered,
  unread: requests.markUnread,
} as const;

export type RouteAction = keyof typeof routeActions;

/** Answered by the gateway itself, with `pong`: it costs no function. */
export const PING = 'ping';
