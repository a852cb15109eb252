import type { Json } from '../support/running-stack.ts';
import type { Mistake } from './operations.ts';

const MISTAKES_IN_GROUP: readonly Mistake[] = [
  { name: 'a mark of 0', method: 'PUT', path: '/watermark', body: { messageId: '0' } },
  { name: 'a mark of 2^64', method: 'PUT', path: '/watermark', body: { messageId: '18446744073709551616' } },
  { name: 'a mark of 01', method: 'PUT', path: '/watermark', body: { messageId: '01' } },
  { name: 'a mark of a fraction', method: 'PUT', path: '/watermark', body: { messageId: 1.5 } },
  { name: 'an unknown field', method: 'PUT', path: '/watermark', body: { messageId: '1', silent: true } },
  { name: 'private as text', method: 'PUT', path: '/watermark', body: { messageId: '1', private: 'yes' } },
  { name: 'ifRevision below 0', method: 'PUT', path: '/watermark', body: { messageId: '1', ifRevision: -1 } },
  { name: 'unread from nothing', method: 'POST', path: '/unread', body: {} },
  { name: 'delivered 0', method: 'PUT', path: '/delivered', body: { messageId: '0' } },
  { name: 'a private delivery', method: 'PUT', path: '/delivered', body: { messageId: '1', private: true } },
  {
    name: 'one bad id among status',
    method: 'POST',
    path: '/messages/status',
    body: { messageIds: ['1', ''] },
  },
  { name: 'one bad id among receipts', method: 'POST', path: '/receipts', body: { messageIds: ['1', '-1'] } },
  {
    name: '101 ids of receipts',
    method: 'POST',
    path: '/receipts',
    body: { messageIds: Array.from({ length: 101 }, (_, index) => String(index + 1)) },
  },
  { name: 'receipts of 0', method: 'GET', path: '/messages/0/receipts' },
  { name: 'receipts of another state', method: 'GET', path: '/messages/1/receipts?state=seen' },
  { name: 'receipts, 0 a page', method: 'GET', path: '/messages/1/receipts?limit=0' },
  { name: 'receipts, 501 a page', method: 'GET', path: '/messages/1/receipts?limit=501' },
  { name: 'receipts with a parameter too many', method: 'GET', path: '/messages/1/receipts?order=asc' },
  { name: 'a read of the watermark with a parameter', method: 'GET', path: '/watermark?fresh=true' },
  {
    name: 'a mark with a parameter',
    method: 'PUT',
    path: '/watermark?private=true',
    body: { messageId: '1' },
  },
  { name: 'members, 501 a page', method: 'GET', path: '/members?limit=501', by: 'service' },
  { name: 'members with a parameter too many', method: 'GET', path: '/members?state=read', by: 'service' },
  {
    name: 'a member who joins after 0',
    method: 'PUT',
    path: '/members/x',
    body: { joinedAfter: '0' },
    by: 'service',
  },
  ...(
    [
      ['nothing', {}],
      ['notify for some', { notify: 'some' }],
      ['a date alone', { mutedUntil: '2030-01-01' }],
      ['hideReceipts as text', { hideReceipts: 'yes' }],
      ['archive as a boolean', { archive: true }],
      ['an unknown preference', { sound: false }],
      ['one bad value among several', { notify: 'all', archive: 'never' }],
    ] satisfies readonly (readonly [string, { [name: string]: Json }])[]
  ).map(
    ([name, body]): Mistake => ({
      name: `preferences with ${name}`,
      method: 'PATCH',
      path: '/preferences',
      body,
      feature: 'preferences',
    }),
  ),
  ...(
    [
      ['nothing', {}],
      ['receipts for nobody', { receipts: 'nobody' }],
      ['a bad parent', { parentId: 'two words' }],
      ['itself as its parent', { parentId: '{groupId}', receipts: 'off' }],
      ['an unknown setting', { title: 'all' }],
    ] satisfies readonly (readonly [string, { [name: string]: Json }])[]
  ).map(
    ([name, body]): Mistake => ({
      name: `a group with ${name}`,
      method: 'PUT',
      path: '',
      body,
      by: 'service',
      feature: 'group settings',
    }),
  ),
  {
    name: 'a deletion of a group with a parameter',
    method: 'DELETE',
    path: '?force=true',
    by: 'service',
    feature: 'group deletion',
  },
  ...(
    [
      ['silent as text', { silent: 'yes' }],
      ['a mention of a text', { mentions: 'some' }],
      ['a mention of an empty name', { mentions: ['ann', ''] }],
      ['101 mentions', { mentions: Array.from({ length: 101 }, (_, index) => `user-${index}`) }],
      ['advanceSender as a number', { advanceSender: 0 }],
      ['a reminder after 59 seconds', { remindAfterSeconds: 59 }],
      ['a reminder after more than a week', { remindAfterSeconds: 604_801 }],
      ['an unknown attribute', { quiet: true }],
    ] satisfies readonly (readonly [string, { [name: string]: Json }])[]
  ).map(
    ([name, attribute]): Mistake => ({
      name: `a message with ${name}`,
      method: 'POST',
      path: '/messages',
      body: { messageId: '1', senderId: 'a-bot', ...attribute },
      by: 'service',
    }),
  ),
];

/** Requests about a user only, not about a group. {groupId} stands for the group. */
const MISTAKES_ELSEWHERE: readonly Mistake[] = [
  {
    name: 'one bad mark among several',
    method: 'POST',
    path: '/watermarks',
    body: {
      marks: [
        { groupId: '{groupId}', messageId: '18446744073709551615' },
        { groupId: '{groupId}', messageId: '0' },
      ],
    },
  },
  {
    name: 'a private delivery among several marks',
    method: 'POST',
    path: '/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '1', delivered: true, private: true }] },
  },
  {
    name: 'a delivery with ifRevision among several marks',
    method: 'POST',
    path: '/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '1', delivered: true, ifRevision: 0 }] },
  },
  {
    name: 'no messages in one call',
    method: 'POST',
    path: '/messages',
    body: { messages: [] },
    by: 'service',
    feature: 'messages in bulk',
  },
  {
    name: '101 messages in one call',
    method: 'POST',
    path: '/messages',
    body: {
      messages: Array.from({ length: 101 }, (_, index) => ({
        groupId: '{groupId}',
        messageId: String(index + 1),
        senderId: 'a-bot',
      })),
    },
    by: 'service',
    feature: 'messages in bulk',
  },
  {
    name: 'one bad message among several',
    method: 'POST',
    path: '/messages',
    body: {
      messages: [
        { groupId: '{groupId}', messageId: '1', senderId: 'a-bot' },
        { groupId: '{groupId}', messageId: '2', senderId: 'a-bot', silent: 1 },
      ],
    },
    by: 'service',
    feature: 'messages in bulk',
  },
  { name: 'an inbox with a parameter too many', method: 'GET', path: '/inbox?all=true' },
  { name: 'a badge with a parameter', method: 'GET', path: '/badge?exact=true', feature: 'badge' },
  {
    name: 'an export with a parameter too many',
    method: 'GET',
    path: '/users/{groupId}/export?limit=1',
    by: 'service',
    feature: 'export',
  },
  {
    name: 'an export with a bad cursor',
    method: 'GET',
    path: '/users/{groupId}/export?cursor=no%20cursor',
    by: 'service',
    feature: 'export',
  },
  {
    name: 'an erasure with a parameter',
    method: 'DELETE',
    path: '/users/{groupId}?now=true',
    by: 'service',
    feature: 'user erasure',
  },
  {
    name: 'badges of nobody',
    method: 'POST',
    path: '/badges',
    body: { userIds: [] },
    by: 'service',
    feature: 'badge',
  },
  {
    name: 'badges of 101 users',
    method: 'POST',
    path: '/badges',
    body: { userIds: Array.from({ length: 101 }, (_, index) => `user-${index}`) },
    by: 'service',
    feature: 'badge',
  },
  {
    name: 'a mark of all unmuted groups as text',
    method: 'POST',
    path: '/watermarks/all',
    body: { unmutedOnly: 'yes' },
    feature: 'mark all',
  },
  {
    name: 'a mark of all with an unknown field',
    method: 'POST',
    path: '/watermarks/all',
    body: { private: true },
    feature: 'mark all',
  },
  {
    name: 'a mark of all with a bad cursor',
    method: 'POST',
    path: '/watermarks/all',
    body: { cursor: 'no cursor' },
    feature: 'mark all',
  },
  {
    name: 'an inbox of archived groups perhaps',
    method: 'GET',
    path: '/inbox?archived=perhaps',
    feature: 'inbox filters',
  },
  { name: 'an inbox of a bad parent', method: 'GET', path: '/inbox?parentId=.', feature: 'inbox filters' },
  { name: 'an inbox, 0 a page', method: 'GET', path: '/inbox?limit=0' },
  { name: 'an inbox, 201 a page', method: 'GET', path: '/inbox?limit=201' },
  { name: 'an inbox of perhaps', method: 'GET', path: '/inbox?unreadOnly=perhaps' },
];

/** All malformed requests. `{groupId}` stands for the group. */
export const MISTAKES: readonly Mistake[] = [
  ...MISTAKES_IN_GROUP.map((mistake) => ({ ...mistake, path: `/groups/{groupId}${mistake.path}` })),
  ...MISTAKES_ELSEWHERE,
];
