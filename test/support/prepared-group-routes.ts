import { expectedRoutes } from './expected-functions.ts';
import type { Json } from './running-stack.ts';

type Body = { readonly [name: string]: Json };

export interface Route {
  readonly scope: 'user' | 'service';
  readonly method: string;
  /** With `{groupId}`, `{userId}` and `{messageId}` where they stand. */
  readonly path: string;
  /** A valid one, which changes nothing of a prepared group when Bob or a back end sends it. */
  readonly body?: Body;
  /** The route takes a call without a body, and one without any field. */
  readonly isBodyOptional?: true;
}

/** The routes with a body whose fields are all optional. Without them, a call would change the prepared group. */
const OPTIONAL_BODIES = ['POST /watermarks/all'];

/** The bodies of the routes; null if a route needs none. A route on a user's behalf has the same as the user's. */
const BODIES: { readonly [route: string]: Body | null } = {
  'PUT /groups/{groupId}/watermark': { messageId: '1' },
  'POST /groups/{groupId}/messages/status': { messageIds: ['1'] },
  'POST /groups/{groupId}/unread': { messageId: '3' },
  'PUT /groups/{groupId}/delivered': { messageId: '1' },
  'POST /watermarks': { marks: [{ groupId: '{groupId}', messageId: '1' }] },
  // Bob is in no thread of that group.
  'POST /watermarks/all': { parentId: 'nowhere' },
  'POST /groups/{groupId}/receipts': { messageIds: ['1'] },
  'PATCH /groups/{groupId}/preferences': { notify: 'all' },
  'PUT /groups/{groupId}/members/{userId}': null,
  'POST /groups/{groupId}/members': { userIds: ['bob'] },
  'POST /badges': { userIds: ['bob'] },
  'PUT /groups/{groupId}': { receipts: 'members' },
  'POST /groups/{groupId}/messages': { messageId: '1', senderId: 'alice' },
  'POST /messages': { messages: [{ groupId: '{groupId}', messageId: '1', senderId: 'alice' }] },
};

/** The method and the path of a route, the same if it is a user's own or on its behalf. */
const rowOf = (method: string, path: string) =>
  `${method} ${path.replace(/^\/v1(\/users\/\{userId\})?/, '')}`;

function bodyIn(method: string, path: string): Body | null {
  if (method === 'GET' || method === 'DELETE') return null;
  const body = BODIES[rowOf(method, path)];
  if (body === undefined) throw new Error(`BODIES has none for ${method} ${path}`);
  return body;
}

/** Every route that asks for a token. */
export const ROUTES: readonly Route[] = expectedRoutes.flatMap(({ who, method, path }) => {
  if (who === 'anyone') return [];
  const body = bodyIn(method, path);
  const isBodyOptional = OPTIONAL_BODIES.includes(rowOf(method, path));
  return [{ scope: who, method, path, ...(body && { body }), ...(isBodyOptional && { isBodyOptional }) }];
});

type Ids = Readonly<Record<string, string>>;

/** The path of a route with these ids in it, as they are. */
export const pathOf = ({ path }: Route, ids: Ids): string => filled(path, ids);

/** The text of a route's body with these ids in it; undefined where the route takes none. */
export const bodyOf = ({ body }: Route, ids: Ids): string | undefined =>
  body && filled(JSON.stringify(body), ids);

export const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

export function routeOf(name: string): Route {
  const route = ROUTES.find((candidate) => nameOf(candidate) === name);
  if (!route) throw new Error(`no such route: ${name}`);
  return route;
}

function filled(template: string, ids: Ids): string {
  return template.replace(/\{(\w+)\}/g, (_placeholder, name: string) => ids[name] ?? '');
}
