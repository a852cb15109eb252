import type { Json } from './running-stack.ts';

export interface Route {
  readonly scope: 'user' | 'service';
  readonly method: string;
  /** With `{groupId}`, `{userId}` and `{messageId}` where they stand. */
  readonly path: string;
  /** A valid one, which changes nothing of a prepared group when Bob or a back end sends it. */
  readonly body?: { readonly [name: string]: Json };
}

/** What users may ask about themselves, without the token that it takes. */
const ABOUT_USERS: readonly Omit<Route, 'scope'>[] = [
  { method: 'PUT', path: '/groups/{groupId}/watermark', body: { messageId: '1' } },
  { method: 'GET', path: '/groups/{groupId}/watermark' },
  {
    method: 'POST',
    path: '/groups/{groupId}/messages/status',
    body: { messageIds: ['1'] },
  },
  { method: 'POST', path: '/groups/{groupId}/unread', body: { messageId: '3' } },
  { method: 'PUT', path: '/groups/{groupId}/delivered', body: { messageId: '1' } },
  {
    method: 'POST',
    path: '/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '1' }] },
  },
  { method: 'GET', path: '/inbox' },
  { method: 'GET', path: '/groups/{groupId}/messages/{messageId}/receipts' },
  { method: 'POST', path: '/groups/{groupId}/receipts', body: { messageIds: ['1'] } },
];

/** Every route that asks for a token. */
export const ROUTES: readonly Route[] = [
  ...ABOUT_USERS.map((route) => ({ ...route, scope: 'user' as const, path: `/v1${route.path}` })),
  { scope: 'service', method: 'PUT', path: '/v1/groups/{groupId}/members/{userId}' },
  { scope: 'service', method: 'POST', path: '/v1/groups/{groupId}/members', body: { userIds: ['bob'] } },
  { scope: 'service', method: 'GET', path: '/v1/groups/{groupId}/members' },
  { scope: 'service', method: 'DELETE', path: '/v1/groups/{groupId}/members/{userId}' },
  {
    scope: 'service',
    method: 'POST',
    path: '/v1/groups/{groupId}/messages',
    body: { messageId: '1', senderId: 'alice' },
  },
  { scope: 'service', method: 'DELETE', path: '/v1/groups/{groupId}/messages/{messageId}' },
  // What back ends may ask about a user.
  ...ABOUT_USERS.map((route) => ({
    ...route,
    scope: 'service' as const,
    path: `/v1/users/{userId}${route.path}`,
  })),
];

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
