import type { Json } from '../support/running-stack.ts';
import type { Mistake } from './operations.ts';

const A_MESSAGE = { messageId: '1', senderId: 'a-bot' };

/** The same request with each of these bodies, by name. */
const withEachBody = (
  what: string,
  request: Omit<Mistake, 'name' | 'body'>,
  bodies: { readonly [name: string]: Json },
): Mistake[] =>
  Object.entries(bodies).map(([name, body]) => ({ name: `${what} with ${name}`, ...request, body }));

/** Requests about a group. The paths come after the group's. */
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
  ...withEachBody(
    'preferences',
    { method: 'PATCH', path: '/preferences' },
    {
      nothing: {},
      'notify for some': { notify: 'some' },
      'a date alone': { mutedUntil: '2030-01-01' },
      'hideReceipts as text': { hideReceipts: 'yes' },
      'archive as a boolean': { archive: true },
      'an unknown preference': { sound: false },
      'one bad value among several': { notify: 'all', archive: 'never' },
    },
  ),
  ...withEachBody(
    'a group',
    { method: 'PUT', path: '', by: 'service' },
    {
      nothing: {},
      'receipts for nobody': { receipts: 'nobody' },
      'a bad parent': { parentId: 'two words' },
      'itself as its parent': { parentId: '{groupId}', receipts: 'off' },
      'an unknown setting': { title: 'all' },
    },
  ),
  {
    name: 'a deletion of a group with a parameter',
    method: 'DELETE',
    path: '?force=true',
    by: 'service',
  },
  ...withEachBody(
    'a message',
    { method: 'POST', path: '/messages', by: 'service' },
    {
      'silent as text': { ...A_MESSAGE, silent: 'yes' },
      'a mention of a text': { ...A_MESSAGE, mentions: 'some' },
      'a mention of an empty name': { ...A_MESSAGE, mentions: ['ann', ''] },
      '101 mentions': {
        ...A_MESSAGE,
        mentions: Array.from({ length: 101 }, (_, index) => `user-${index}`),
      },
      'advanceSender as a number': { ...A_MESSAGE, advanceSender: 0 },
      'a reminder after 59 seconds': { ...A_MESSAGE, remindAfterSeconds: 59 },
      'a reminder after more than a week': { ...A_MESSAGE, remindAfterSeconds: 604_801 },
      'an unknown attribute': { ...A_MESSAGE, quiet: true },
    },
  ),
];

/** All other requests. */
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
  },
  {
    name: '101 messages in one call',
    method: 'POST',
    path: '/messages',
    body: {
      messages: Array.from({ length: 101 }, (_, index) => ({
        ...A_MESSAGE,
        groupId: '{groupId}',
        messageId: String(index + 1),
      })),
    },
    by: 'service',
  },
  {
    name: 'one bad message among several',
    method: 'POST',
    path: '/messages',
    body: {
      messages: [
        { ...A_MESSAGE, groupId: '{groupId}' },
        { ...A_MESSAGE, groupId: '{groupId}', messageId: '2', silent: 1 },
      ],
    },
    by: 'service',
  },
  { name: 'an inbox with a parameter too many', method: 'GET', path: '/inbox?all=true' },
  { name: 'a badge with a parameter', method: 'GET', path: '/badge?exact=true' },
  {
    name: 'an export with a parameter too many',
    method: 'GET',
    path: '/users/{groupId}/export?limit=1',
    by: 'service',
  },
  {
    name: 'an export with a bad cursor',
    method: 'GET',
    path: '/users/{groupId}/export?cursor=no%20cursor',
    by: 'service',
  },
  {
    name: 'an erasure with a parameter',
    method: 'DELETE',
    path: '/users/{groupId}?now=true',
    by: 'service',
  },
  {
    name: 'badges of nobody',
    method: 'POST',
    path: '/badges',
    body: { userIds: [] },
    by: 'service',
  },
  {
    name: 'badges of 101 users',
    method: 'POST',
    path: '/badges',
    body: { userIds: Array.from({ length: 101 }, (_, index) => `user-${index}`) },
    by: 'service',
  },
  {
    name: 'a mark of all unmuted groups as text',
    method: 'POST',
    path: '/watermarks/all',
    body: { unmutedOnly: 'yes' },
  },
  {
    name: 'a mark of all with an unknown field',
    method: 'POST',
    path: '/watermarks/all',
    body: { private: true },
  },
  {
    name: 'a mark of all with a bad cursor',
    method: 'POST',
    path: '/watermarks/all',
    body: { cursor: 'no cursor' },
  },
  {
    name: 'an inbox of archived groups perhaps',
    method: 'GET',
    path: '/inbox?archived=perhaps',
  },
  { name: 'an inbox of a bad parent', method: 'GET', path: '/inbox?parentId=.' },
  { name: 'an inbox, 0 a page', method: 'GET', path: '/inbox?limit=0' },
  { name: 'an inbox, 201 a page', method: 'GET', path: '/inbox?limit=201' },
  { name: 'an inbox of perhaps', method: 'GET', path: '/inbox?unreadOnly=perhaps' },
];

/** All malformed requests. */
export const MISTAKES: readonly Mistake[] = [
  ...MISTAKES_IN_GROUP.map((mistake) => ({ ...mistake, path: `/groups/{groupId}${mistake.path}` })),
  ...MISTAKES_ELSEWHERE,
];
