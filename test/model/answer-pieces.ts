import type { Json } from '../support/running-stack.ts';
import { isFields } from './agreement.ts';
import { AFTERWARDS, type AnswerPieces, pieceOfBadge, pieceOfEntry, pieceOfGroup, WHOLE } from './part.ts';

/** An answer of the service, with the short names of users and groups. */
export type StatusAndBody = { status: number; body: Json };

type Fields = { readonly [name: string]: Json };

export const whole = (answer: Json): AnswerPieces => ({ [WHOLE]: answer });

/** The order of listed members is not promised. */
export function sorted(answer: StatusAndBody): Json {
  if (!isFields(answer.body) || !Array.isArray(answer.body.members)) return answer;
  const userIdOf = (member: Json) => (isFields(member) ? String(member.userId) : '');
  const members = answer.body.members.toSorted((a, b) => (userIdOf(a) < userIdOf(b) ? -1 : 1));
  return { ...answer, body: { ...answer.body, members } };
}

const STATE_FIELDS = ['messageId', 'readAt', 'revision', 'head', 'unread'];

/** Separates the result of a change from the caller's state. */
export function withAfterwards({ status, body }: StatusAndBody): AnswerPieces {
  if ((status !== 200 && status !== 409) || !isFields(body)) return whole({ status, body });
  const fields = Object.entries(body);
  const state = fields.filter(([name]) => STATE_FIELDS.includes(name));
  const result = fields.filter(([name]) => !STATE_FIELDS.includes(name));
  return {
    ...whole({ status, body: Object.fromEntries(result) }),
    [AFTERWARDS]: Object.fromEntries(state),
  };
}

/** Separates the results by group: each group may be read at a different moment. */
export function piecesByGroup(answer: StatusAndBody): AnswerPieces {
  const results = onlyList(answer, 'results');
  if (results === null) return whole(answer);
  const groupIds: Json[] = [];
  const pieces = new Map<string, Json[]>();
  for (const { groupId = null, ...rest } of results) {
    groupIds.push(groupId);
    const piece = pieceOfGroup(String(groupId));
    pieces.set(piece, [...(pieces.get(piece) ?? []), rest]);
  }
  return { ...whole({ status: answer.status, groupIds }), ...Object.fromEntries(pieces) };
}

/** Separates the outcomes of several messages. */
export function piecesByEntry(answer: StatusAndBody): AnswerPieces {
  const results = onlyList(answer, 'results');
  if (results === null) return whole(answer);
  const inOrder: Json[] = [];
  const pieces: Record<string, Json> = {};
  for (const [index, { groupId = null, messageId = null, ...rest }] of results.entries()) {
    inOrder.push({ groupId, messageId });
    pieces[pieceOfEntry(index)] = rest;
  }
  return { ...whole({ status: answer.status, inOrder }), ...pieces };
}

/** Separates the badges of several users. */
export function piecesByUser(answer: StatusAndBody): AnswerPieces {
  const badges = onlyList(answer, 'badges');
  if (badges === null) return whole(answer);
  const userIds: Json[] = [];
  const pieces: Record<string, Json> = {};
  for (const { userId = null, ...rest } of badges) {
    userIds.push(userId);
    pieces[pieceOfBadge(String(userId))] = rest;
  }
  return { ...whole({ status: answer.status, userIds }), ...pieces };
}

/** Separates the outcomes of marking all groups. */
export function piecesOfAll(answer: StatusAndBody, among: readonly string[]): AnswerPieces {
  const results = onlyList(answer, 'results');
  if (results === null) return whole(answer);
  const { groupIds, others, pieces } = foundAmong(results, among, ({ groupId: _, ...rest }) => rest);
  return { ...whole({ status: answer.status, areDistinct: areDistinct(groupIds), others }), ...pieces };
}

/** Separates what is stored of a user by group. */
export function piecesOfExport(answer: StatusAndBody, among: readonly string[]): AnswerPieces {
  const { status, body } = answer;
  if (status !== 200 || !isFields(body)) return whole(answer);
  const { memberships, ...rest } = body;
  const listed = fieldsOfAll(memberships);
  if (listed === null) return whole(answer);
  const { groupIds, others, pieces } = foundAmong(listed, among, (membership) => membership);
  return { ...whole({ status, body: rest, areDistinct: areDistinct(groupIds), others }), ...pieces };
}

/** Separates the groups of an inbox. */
export function piecesOfInbox(answer: StatusAndBody, among: readonly string[]): AnswerPieces {
  const groups = onlyList(answer, 'groups');
  if (groups === null) return whole(answer);
  const { groupIds, others, pieces } = foundAmong(groups, among, (group) => group);
  // Two equal entries are not in order either.
  const inOrder = groupIds.every((groupId, index) => index === 0 || (groupIds[index - 1] ?? '') < groupId);
  return { ...whole({ status: answer.status, inOrder, others }), ...pieces };
}

/** A piece for each of these groups, null for one that is not listed, and the listed groups that are not among them. */
function foundAmong(listed: readonly Fields[], among: readonly string[], pieceOf: (entry: Fields) => Json) {
  const groupIds = listed.map(({ groupId }) => String(groupId));
  const pieces: Record<string, Json> = {};
  for (const groupId of among) pieces[pieceOfGroup(groupId)] = null;
  for (const entry of listed) pieces[pieceOfGroup(String(entry.groupId))] = pieceOf(entry);
  return { groupIds, others: groupIds.filter((groupId) => !among.includes(groupId)), pieces };
}

const areDistinct = (groupIds: readonly string[]) => new Set(groupIds).size === groupIds.length;

/** The entries of the only list of an answer; null if it is another answer. */
function onlyList({ status, body }: StatusAndBody, list: string): readonly Fields[] | null {
  const isOnlyList = status === 200 && isFields(body) && Object.keys(body).length === 1;
  return isOnlyList ? fieldsOfAll(body[list]) : null;
}

function fieldsOfAll(list: Json | undefined): readonly Fields[] | null {
  return Array.isArray(list) && list.every(isFields) ? list : null;
}
