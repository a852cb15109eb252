import type * as v from 'valibot';
import * as answers from './answers.ts';
import type { Request } from './endpoint.ts';
import { MEMBERSHIP } from './environment.ts';
import type { ProblemCode } from './problems.ts';
import * as requests from './requests.ts';

/** The actions of a function on the items of the ledger. */
export type LedgerAction = 'BatchGetItem' | 'DeleteItem' | 'GetItem' | 'Query' | 'UpdateItem';

export interface Description {
  readonly summary: string;
  /** The Lambda that serves it: its file in `functions/`, and the end of its deployed name. */
  readonly servedBy: string;
  readonly ledger: readonly LedgerAction[];
  /** Its function works on the ledger alone. */
  readonly withoutCache?: true;
  /** Whether its function lists the members of a group, through the ledger's index. */
  readonly listsMembers?: true;
  /** Without it, that of all functions. */
  readonly timeoutSeconds?: number;
  /** The settings of the deployment that its function needs. */
  readonly settings?: readonly (typeof MEMBERSHIP)[];
  /** The body by status. */
  readonly answers: Readonly<Record<number, v.GenericSchema>>;
  /** Every field of the body may be left out, but not all of them. The function checks it. */
  readonly needsAnyField?: true;
  /** The problems of this endpoint, besides those that every endpoint of its kind has. */
  readonly problems?: readonly ProblemCode[];
}

export type Endpoint = Request & Description;

/** The first request for the receipts of a large group loads them. This is just less than the gateway waits. */
const WHOLE_GROUP_SECONDS = 29;

/** Every endpoint. The functions and the routes are deployed in this order. */
export const endpoints = [
  {
    ...requests.markRead,
    summary: "Moves a member's watermark forward",
    servedBy: 'mark-read',
    ledger: ['GetItem', 'UpdateItem', 'Query'],
    settings: [MEMBERSHIP],
    answers: { 200: answers.watermarkMoved },
    problems: ['not_found', 'revision_conflict'],
  },
  {
    ...requests.markUnread,
    summary: "Takes a member's own watermark back",
    servedBy: 'mark-unread',
    ledger: ['GetItem', 'UpdateItem', 'Query'],
    answers: { 200: answers.watermark },
    problems: ['not_found'],
  },
  {
    ...requests.markDelivered,
    summary: 'Moves forward what was delivered to a member',
    servedBy: 'mark-delivered',
    ledger: ['GetItem', 'UpdateItem'],
    settings: [MEMBERSHIP],
    answers: { 200: answers.deliveredMoved },
    problems: ['not_found'],
  },
  {
    ...requests.markGroups,
    summary: "Moves a member's watermarks in several groups forward",
    servedBy: 'mark-groups',
    ledger: ['GetItem', 'UpdateItem'],
    settings: [MEMBERSHIP],
    answers: { 200: answers.markOutcomes },
  },
  {
    ...requests.getWatermark,
    summary: "Returns a member's own watermark and unread count",
    servedBy: 'get-watermark',
    ledger: ['GetItem', 'Query'],
    answers: { 200: answers.watermark },
    problems: ['not_found'],
  },
  {
    ...requests.getMessageStatus,
    summary: 'Returns which messages a member has read',
    servedBy: 'get-message-status',
    ledger: ['BatchGetItem', 'GetItem'],
    answers: { 200: answers.messageStatuses },
    problems: ['not_found'],
  },
  {
    ...requests.getInbox,
    summary: "Lists a user's groups with what is unread in them",
    servedBy: 'get-inbox',
    ledger: ['BatchGetItem', 'GetItem', 'Query'],
    answers: { 200: answers.inboxPage },
  },
  {
    ...requests.markAll,
    summary: "Moves a user's watermarks to the heads, a page of groups at a time, archived ones too",
    servedBy: 'mark-all',
    ledger: ['BatchGetItem', 'Query', 'UpdateItem'],
    answers: { 200: answers.markAllOutcomes },
  },
  {
    ...requests.getBadge,
    summary: "Counts what is unread in a user's groups together",
    servedBy: 'get-badge',
    ledger: ['BatchGetItem', 'GetItem', 'Query'],
    answers: { 200: answers.badge },
  },
  {
    ...requests.countBadges,
    summary: 'Counts what is unread for several users',
    servedBy: 'count-badges',
    ledger: ['BatchGetItem', 'GetItem', 'Query'],
    answers: { 200: answers.badges },
  },
  {
    ...requests.listReceipts,
    summary: 'Lists who has read a message',
    servedBy: 'list-receipts',
    ledger: ['BatchGetItem', 'GetItem', 'Query'],
    listsMembers: true,
    timeoutSeconds: WHOLE_GROUP_SECONDS,
    answers: { 200: answers.receiptsPage },
    problems: ['receipts_off', 'not_found'],
  },
  {
    ...requests.countReceipts,
    summary: 'Counts who has read messages',
    servedBy: 'count-receipts',
    ledger: ['BatchGetItem', 'GetItem', 'Query'],
    listsMembers: true,
    timeoutSeconds: WHOLE_GROUP_SECONDS,
    answers: { 200: answers.receipts },
    problems: ['receipts_off', 'not_found'],
  },
  {
    ...requests.getPreferences,
    summary: "Returns a member's preferences",
    servedBy: 'get-preferences',
    ledger: ['GetItem'],
    answers: { 200: answers.preferences },
    problems: ['not_found'],
  },
  {
    ...requests.setPreferences,
    summary: "Changes some of a member's preferences",
    servedBy: 'set-preferences',
    ledger: ['GetItem', 'UpdateItem'],
    answers: { 200: answers.preferences },
    needsAnyField: true,
    problems: ['not_found'],
  },
  {
    ...requests.addMember,
    summary: 'Lets a user join a group',
    servedBy: 'add-members',
    ledger: ['BatchGetItem', 'GetItem', 'UpdateItem'],
    answers: { 200: answers.memberJoined, 201: answers.memberJoined },
  },
  {
    ...requests.addMembers,
    summary: 'Lets several users join a group',
    servedBy: 'add-members',
    ledger: ['BatchGetItem', 'GetItem', 'UpdateItem'],
    answers: { 200: answers.membersAdded },
  },
  {
    ...requests.listMembers,
    summary: 'Lists the members of a group with their watermarks',
    servedBy: 'list-members',
    ledger: ['BatchGetItem', 'GetItem'],
    listsMembers: true,
    answers: { 200: answers.membersPage },
  },
  {
    ...requests.removeMember,
    summary: 'Lets a user leave a group',
    servedBy: 'remove-member',
    ledger: ['UpdateItem'],
    answers: { 204: answers.nothing },
  },
  {
    ...requests.recordMessage,
    summary: 'Records a message that was sent',
    servedBy: 'record-message',
    ledger: ['BatchGetItem', 'GetItem', 'UpdateItem'],
    answers: { 200: answers.messageRecorded, 201: answers.messageRecorded },
    problems: ['conflict'],
  },
  {
    ...requests.recordMessages,
    summary: 'Records messages that were sent in several groups',
    servedBy: 'record-messages',
    ledger: ['BatchGetItem', 'GetItem', 'UpdateItem'],
    answers: { 200: answers.recordOutcomes },
  },
  {
    ...requests.deleteMessage,
    summary: 'Takes a message out of the unread counts',
    servedBy: 'delete-message',
    ledger: ['UpdateItem'],
    answers: { 204: answers.nothing },
  },
  {
    ...requests.getGroup,
    summary: 'Returns the head of a group, its parent and who may see receipts',
    servedBy: 'get-group',
    ledger: ['GetItem'],
    answers: { 200: answers.group },
  },
  {
    ...requests.setGroup,
    summary: 'Sets the parent of a group, once, and who may see receipts',
    servedBy: 'set-group',
    ledger: ['GetItem', 'UpdateItem'],
    answers: { 200: answers.group },
    needsAnyField: true,
    problems: ['conflict'],
  },
  {
    ...requests.exportUser,
    summary: 'Returns all that is stored of a user, a page at a time',
    servedBy: 'export-user',
    ledger: ['Query'],
    withoutCache: true,
    answers: { 200: answers.userExport },
  },
  {
    ...requests.eraseUser,
    summary: 'Begins to erase all that is stored of a user',
    servedBy: 'erase-user',
    ledger: ['UpdateItem'],
    withoutCache: true,
    answers: { 202: answers.nothing },
  },
  {
    ...requests.deleteGroup,
    summary: 'Deletes a group: it is empty at once, and may be used again',
    servedBy: 'delete-group',
    ledger: ['UpdateItem'],
    answers: { 202: answers.nothing },
  },
  {
    ...requests.checkHealth,
    summary: 'Reports whether ledger and cache answer',
    servedBy: 'check-health',
    ledger: ['GetItem'],
    answers: { 200: answers.health, 503: answers.health },
  },
] as const satisfies readonly Endpoint[];

export type EndpointFunctionName = (typeof endpoints)[number]['servedBy'];

/** The schemas of the answers of the endpoint with a name, by status. */
export type AnswersOf<Name extends string> = Extract<
  (typeof endpoints)[number],
  { readonly name: Name }
>['answers'];
