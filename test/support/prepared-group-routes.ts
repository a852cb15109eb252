import type { Json } from './running-stack.ts';

export interface Route {
  readonly scope: 'user' | 'service';
  readonly method: string;
  /** With `{groupId}`, `{userId}` and `{messageId}` where they stand. */
  readonly path: string;
  /** A valid one, which changes nothing of a prepared group when Bob or a back end sends it. */
  readonly body?: { readonly [name: string]: Json };
}

/** Every route that asks for a token. */
export const ROUTES: readonly Route[] = [
  { scope: 'user', method: 'PUT', path: '/v1/groups/{groupId}/watermark', body: { messageId: '1' } },
  { scope: 'user', method: 'GET', path: '/v1/groups/{groupId}/watermark' },
  {
    scope: 'user',
    method: 'POST',
    path: '/v1/groups/{groupId}/messages/status',
    body: { messageIds: ['1'] },
  },
  { scope: 'user', method: 'POST', path: '/v1/groups/{groupId}/unread', body: { messageId: '3' } },
  { scope: 'user', method: 'PUT', path: '/v1/groups/{groupId}/delivered', body: { messageId: '1' } },
  {
    scope: 'user',
    method: 'POST',
    path: '/v1/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '1' }] },
  },
  { scope: 'user', method: 'GET', path: '/v1/inbox' },
  { scope: 'user', method: 'GET', path: '/v1/groups/{groupId}/messages/{messageId}/receipts' },
  { scope: 'user', method: 'POST', path: '/v1/groups/{groupId}/receipts', body: { messageIds: ['1'] } },
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
  {
    scope: 'service',
    method: 'PUT',
    path: '/v1/users/{userId}/groups/{groupId}/watermark',
    body: { messageId: '1' },
  },
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
