import { freshPrefix } from '../support/engines.ts';
import type { Answer, Json, RunningStack } from '../support/running-stack.ts';
import { agree, describeExpected, type Span } from './agreement.ts';
import {
  AFTERWARDS,
  afterwardsIn,
  EMPTY,
  groupOf,
  type Part,
  partsOf,
  pieceOfGroup,
  type Rules,
  SILENT,
  type State,
  type View,
  viewOf,
  WHOLE,
} from './model.ts';
import { describeOperation, type History, type Operation } from './operations.ts';

/** The stack that histories are played on. Any number of them may be played at once. */
export interface Stage {
  readonly stack: RunningStack;
  /** Takes from the cache all that it holds of groups whose ids begin so: the others are in the middle of things. */
  emptyCache(prefix: string): Promise<void>;
}

/** The service and the model do not agree. The message tells the history until then, a line for each operation. */
export class Disagreement extends Error {
  override readonly name = 'Disagreement';
  /** The steps until then. */
  readonly history: History;

  constructor(message: string, history: History) {
    super(message);
    this.history = history;
  }
}

const MAX_PAGES = 100;
/** More than so many mean that the model forgot to tell states apart, or answers do. */
const MAX_STATES = 2_000;

interface Played {
  readonly operation: Operation;
  readonly number: number;
  readonly seen: { readonly [name: string]: Json };
}

/**
 * Plays a history with users and groups of its own, and compares every answer with the model's. Operations at once
 * agree where some order of their parts gives the answers seen. Where several orders do, all of them are kept in mind
 * until an answer tells which it was. Returns how many operations were compared.
 */
export async function play(stage: Stage, history: History, rules: Rules): Promise<number> {
  const prefix = `${freshPrefix('h')}.`;
  const spans: Span[] = [];
  const spanOf = (number: number) => spans[number] ?? { from: 0, to: 0 };
  const lines: string[] = [];
  let states: readonly State[] = [EMPTY];
  let next = 0;
  for (const step of history) {
    const first = next;
    next += step.length;
    const played = await Promise.all(
      step.map(async (operation, index): Promise<Played> => {
        const number = first + index;
        const from = Date.now();
        const seen = await perform(stage, prefix, operation);
        spans[number] = { from, to: Date.now() };
        return { operation, number, seen };
      }),
    );
    lines.push(...played.map((one) => lineOf(one, step.length > 1)));
    const after = states.flatMap((state) => explain(state, played, rules, spanOf));
    if (after.length === 0) {
      throw new Disagreement(
        [...lines, ...states.slice(0, 3).map((state) => told(state, played, rules))].join('\n'),
        history.slice(0, history.indexOf(step) + 1),
      );
    }
    states = distinct(after);
    if (states.length > MAX_STATES) throw new Error(`too many states are possible:\n${lines.join('\n')}`);
  }
  return next;
}

function lineOf({ operation, number, seen }: Played, isAtOnce: boolean): string {
  const pieces = Object.entries(seen).map(([piece, said]) => {
    if (piece !== WHOLE || !isFields(said)) return `${piece}: ${JSON.stringify(said)}`;
    const { status, body, ...rest } = said;
    return `${status} ${JSON.stringify(body ?? rest)}`;
  });
  return `${number}. ${isAtOnce ? '(at once) ' : ''}${describeOperation(operation)} → ${pieces.join('; ')}`;
}

/** What the model says to the operations one after another, as they are written. */
function told(state: State, played: readonly Played[], rules: Rules): string {
  const pieces: string[] = [];
  let current = state;
  for (const { operation, number, seen } of played) {
    for (const part of partsOf(operation, number, rules)) {
      const { next, expected } = part.run(current, viewOf(current, part.groupId ?? ''));
      current = next;
      if (part.piece === SILENT || isLeftOut(part, seen)) continue;
      pieces.push(`   ${number}. ${part.piece}: ${describeExpected(expected, current.times)}`);
    }
  }
  const head =
    played.length === 1 ? 'expected:' : 'no order explains these answers; in the order above expected:';
  return [head, ...pieces].join('\n');
}

const isLeftOut = ({ follows, piece }: Part, seen: Played['seen']) => follows && seen[piece] === undefined;

const textOf = (value: unknown) =>
  JSON.stringify(value, (_name, value) => (typeof value === 'bigint' ? value.toString() : value));

const keyOf = (state: State) => textOf(state);

const distinct = (states: readonly State[]) => [
  ...new Map(states.map((state) => [keyOf(state), state])).values(),
];

/** Every state in which the operations may have left things, given their answers. None: they disagree. */
function explain(
  start: State,
  played: readonly Played[],
  rules: Rules,
  spanOf: (operation: number) => Span,
): readonly State[] {
  const parts = played.flatMap(({ operation, number, seen }) =>
    partsOf(operation, number, rules)
      .filter((part) => !isLeftOut(part, seen))
      .map((part): Answered => ({ part, seen: seen[part.piece] })),
  );
  // No rule ties one group to another, so that each may be explained on its own.
  const groupIds = new Set(parts.map(({ part }) => part.groupId));
  let states: readonly State[] = [start];
  for (const groupId of groupIds) {
    const ofGroup = parts.filter(({ part }) => part.groupId === groupId);
    const views = played.length === 1 ? undefined : viewsOf(start, groupId, played, rules);
    const after = (state: State, answered: Answered) => statesAfter(state, answered, views, spanOf);
    states = distinct(
      states.flatMap((state) =>
        played.length === 1 ? inOrder(state, ofGroup, after) : inAnyOrder(state, ofGroup, after),
      ),
    );
  }
  return states;
}

interface Answered {
  readonly part: Part;
  readonly seen: Json | undefined;
}

type After = (state: State, answered: Answered) => readonly State[];

/** The states after a part: one for each view in which it gives the answer seen. */
function statesAfter(
  state: State,
  { part, seen }: Answered,
  views: readonly View[] | undefined,
  spanOf: (operation: number) => Span,
): State[] {
  const found: State[] = [];
  for (const view of views ?? [viewOf(state, part.groupId ?? '')]) {
    const { next, expected } = part.run(state, view);
    const times = part.piece === SILENT ? next.times : agree(expected, seen, next.times, spanOf);
    if (times !== null) found.push(times === next.times ? next : { ...next, times });
  }
  return found;
}

function inOrder(start: State, parts: readonly Answered[], after: After): readonly State[] {
  let states: readonly State[] = [start];
  for (const answered of parts) states = states.flatMap((state) => after(state, answered));
  return states;
}

function inAnyOrder(start: State, parts: readonly Answered[], after: After): readonly State[] {
  const finals: State[] = [];
  const visited = new Set<string>();
  const visit = (state: State, open: readonly number[]): void => {
    const key = `${open.join(' ')} ${keyOf(state)}`;
    if (visited.has(key)) return;
    visited.add(key);
    if (open.length === 0) finals.push(state);
    const due = open.flatMap((index) => {
      const answered = parts[index];
      const waits = answered?.part.follows === true && open.includes(index - 1);
      return answered === undefined || waits ? [] : [{ index, answered }];
    });
    const without = (index: number) => open.filter((other) => other !== index);
    // What only looks, and agrees now, need not be tried later: it changes nothing for the others.
    for (const { index, answered } of due) {
      if (answered.part.changes) continue;
      const [found] = after(state, answered);
      if (found !== undefined) {
        visit(found, without(index));
        return;
      }
    }
    for (const { index, answered } of due) {
      if (!answered.part.changes) continue;
      for (const found of after(state, answered)) visit(found, without(index));
    }
  };
  visit(start, [...parts.keys()]);
  return finals;
}

/**
 * What one may see of a group's messages while these are recorded and deleted: the head and the messages are read
 * one after the other, and nobody promises that they are of one moment. Undefined where nothing of them changes.
 */
function viewsOf(
  start: State,
  groupId: string | null,
  played: readonly Played[],
  rules: Rules,
): readonly View[] | undefined {
  const changes = played.flatMap(({ operation, number }) => {
    const isAboutMessages = operation.kind === 'record' || operation.kind === 'delete';
    if (!isAboutMessages || operation.groupId !== groupId) return [];
    return partsOf(operation, number, rules).filter(({ piece }) => piece === WHOLE);
  });
  if (groupId === null || changes.length === 0) return undefined;
  const moments = new Map<string, State>();
  const visit = (state: State, open: readonly Part[]): void => {
    moments.set(keyOf(state), state);
    for (const part of open) {
      visit(
        part.run(state, viewOf(state, groupId)).next,
        open.filter((other) => other !== part),
      );
    }
  };
  visit(start, changes);
  const groups = [...moments.values()].map((state) => groupOf(state, groupId));
  const heads = [...new Set(groups.map(({ head }) => head))];
  const messages = [...new Map(groups.map((group) => [textOf(group.messages), group.messages])).values()];
  return heads.flatMap((headBefore) =>
    heads.flatMap((head) => messages.map((seen) => ({ headBefore, head, messages: seen }))),
  );
}

/** Does the operation on the running stack, and returns the pieces of its answer, in the short names. */
async function perform(
  { stack, emptyCache }: Stage,
  prefix: string,
  operation: Operation,
): Promise<Record<string, Json>> {
  const ask = async (
    token: string,
    method: string,
    path: string,
    body?: Json,
  ): Promise<{ status: number; body: Json }> => {
    const answer = await stack.call(token, method, path, body);
    const text = answer.text.replaceAll(prefix, '');
    const { status, contentType = null } = answer;
    if (!hasRightType(answer)) return { status, body: { contentType, text } };
    return { status, body: text === '' ? null : (JSON.parse(text) as Json) };
  };
  const asService = async (method: string, path: string, body?: Json) =>
    ask(await stack.serviceToken(), method, path, body);
  const asUser = async (userId: string, method: string, path: string, body?: Json) =>
    ask(await stack.userToken(prefix + userId), method, path, body);
  const group = (groupId: string) => `/v1/groups/${prefix}${groupId}`;

  switch (operation.kind) {
    case 'join':
      return whole(
        await asService('PUT', `${group(operation.groupId)}/members/${prefix}${operation.userId}`),
      );
    case 'join together': {
      const userIds = operation.userIds.map((userId) => prefix + userId);
      return whole(await asService('POST', `${group(operation.groupId)}/members`, { userIds }));
    }
    case 'leave':
      return whole(
        await asService('DELETE', `${group(operation.groupId)}/members/${prefix}${operation.userId}`),
      );
    case 'list members':
      return whole(
        sorted(
          await everyPage('members', operation.limit ?? 100, operation, (query) =>
            asService('GET', `${group(operation.groupId)}/members${query}`),
          ),
        ),
      );
    case 'record': {
      const { groupId, messageId, senderId, sentAt } = operation;
      const body = {
        messageId: said(messageId),
        senderId: prefix + senderId,
        ...(sentAt !== undefined && { sentAt }),
      };
      return whole(await asService('POST', `${group(groupId)}/messages`, body));
    }
    case 'delete':
      return whole(await asService('DELETE', `${group(operation.groupId)}/messages/${operation.messageId}`));
    case 'mark': {
      const { groupId, userId, messageId, isPrivate, ifRevision, by } = operation;
      const body = {
        messageId: said(messageId),
        ...(isPrivate !== undefined && { private: isPrivate }),
        ...(ifRevision !== undefined && { ifRevision }),
      };
      if (by === 'user')
        return withAfterwards(await asUser(userId, 'PUT', `${group(groupId)}/watermark`, body));
      const path = `/v1/users/${prefix}${userId}/groups/${prefix}${groupId}/watermark`;
      return withAfterwards(await asService('PUT', path, body));
    }
    case 'mark unread':
    case 'mark delivered': {
      const { kind, groupId, userId, messageId } = operation;
      const [method, name] = kind === 'mark unread' ? ['POST', 'unread'] : ['PUT', 'delivered'];
      return withAfterwards(
        await asUser(userId, method, `${group(groupId)}/${name}`, { messageId: said(messageId) }),
      );
    }
    case 'mark several': {
      const marks = operation.marks.map(({ groupId, messageId, isPrivate }) => ({
        groupId: prefix + groupId,
        messageId: said(messageId),
        ...(isPrivate !== undefined && { private: isPrivate }),
      }));
      return piecesByGroup(await asUser(operation.userId, 'POST', '/v1/watermarks', { marks }));
    }
    case 'look':
      return whole(await asUser(operation.userId, 'GET', `${group(operation.groupId)}/watermark`));
    case 'ask status':
    case 'ask receipts of several': {
      const { kind, groupId, userId, messageIds } = operation;
      const name = kind === 'ask status' ? 'messages/status' : 'receipts';
      return whole(
        await asUser(userId, 'POST', `${group(groupId)}/${name}`, { messageIds: messageIds.map(said) }),
      );
    }
    case 'inbox':
      return piecesOfInbox(
        await everyPage('groups', operation.limit ?? 200, operation, (query) =>
          asUser(operation.userId, 'GET', `/v1/inbox${query}`),
        ),
        operation.among,
      );
    case 'ask receipts': {
      const { groupId, userId, messageId, limit } = operation;
      return whole(
        sorted(
          await everyPage('members', limit ?? 100, operation, (query) =>
            asUser(userId, 'GET', `${group(groupId)}/messages/${messageId}/receipts${query}`),
          ),
        ),
      );
    }
    case 'ask wrongly': {
      const { userId, groupId, mistake } = operation;
      const there = (text: string) => text.replaceAll('{groupId}', prefix + groupId);
      const body = mistake.body === undefined ? undefined : there(JSON.stringify(mistake.body));
      return whole(await asUser(userId, mistake.method, there(mistake.path), body));
    }
    case 'flush':
      await emptyCache(prefix);
      return {};
  }
}

/** Ids go in as text, or as numbers where these are exact. */
const said = (messageId: bigint): Json =>
  messageId <= BigInt(Number.MAX_SAFE_INTEGER) && messageId % 3n === 0n
    ? Number(messageId)
    : messageId.toString();

const whole = (answer: Json): Record<string, Json> => ({ [WHOLE]: answer });

function hasRightType({ status, contentType, text }: Answer): boolean {
  if (status === 204) return text === '';
  return contentType?.split(';')[0] === (status >= 400 ? 'application/problem+json' : 'application/json');
}

type Fields = { [name: string]: Json };
const isFields = (value: Json | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Follows the cursors to the end, and returns one answer with all that the pages list. What the pages say beside
 * must not change between them.
 */
async function everyPage(
  list: string,
  limit: number,
  options: Operation,
  ask: (query: string) => Promise<{ status: number; body: Json }>,
): Promise<{ status: number; body: Json }> {
  const query = new URLSearchParams();
  for (const name of ['state', 'unreadOnly', 'limit'] as const) {
    const value: unknown = Reflect.get(options, name);
    if (value !== undefined) query.set(name, String(value));
  }
  const found: Json[] = [];
  let beside: Json | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await ask(query.size === 0 ? '' : `?${query}`);
    if (answer.status !== 200 || !isFields(answer.body)) return answer;
    const { [list]: listed, cursor, ...rest } = answer.body;
    if (!Array.isArray(listed) || listed.length > limit || (cursor !== null && typeof cursor !== 'string')) {
      return answer;
    }
    if (beside !== undefined && JSON.stringify(beside) !== JSON.stringify(rest)) {
      return { status: 200, body: { ...rest, before: beside } };
    }
    beside = rest;
    found.push(...listed);
    if (cursor === null) return { status: 200, body: { ...rest, [list]: found } };
    query.set('cursor', cursor);
  }
  return { status: 200, body: 'there is no end to the pages' };
}

/** Members are listed in no order that is promised. */
function sorted(answer: { status: number; body: Json }): Json {
  if (!isFields(answer.body) || !Array.isArray(answer.body.members)) return answer;
  const userIdOf = (member: Json) => (isFields(member) ? String(member.userId) : '');
  const members = answer.body.members.toSorted((a, b) => (userIdOf(a) < userIdOf(b) ? -1 : 1));
  return { ...answer, body: { ...answer.body, members } };
}

const TOLD_AFTERWARDS = ['messageId', 'readAt', 'revision', 'head', 'unread'];

/** What was done, and apart from it what is told of the caller. */
function withAfterwards({ status, body }: { status: number; body: Json }): Record<string, Json> {
  if ((status !== 200 && status !== 409) || !isFields(body)) return whole({ status, body });
  const fields = Object.entries(body);
  const told = fields.filter(([name]) => TOLD_AFTERWARDS.includes(name));
  const done = fields.filter(([name]) => !TOLD_AFTERWARDS.includes(name));
  return {
    ...whole({ status, body: Object.fromEntries(done) }),
    [AFTERWARDS]: Object.fromEntries(told),
  };
}

/** The results of each group apart: each of them may be of a moment of its own. */
function piecesByGroup({ status, body }: { status: number; body: Json }): Record<string, Json> {
  if (status !== 200 || !isFields(body) || !Array.isArray(body.results) || Object.keys(body).length > 1) {
    return whole({ status, body });
  }
  const groupIds: Json[] = [];
  const pieces = new Map<string, Json[]>();
  for (const result of body.results) {
    if (!isFields(result)) return whole({ status, body });
    const { groupId, messageId, ...rest } = result;
    groupIds.push(groupId ?? null);
    const add = (piece: string, said: Json) => pieces.set(piece, [...(pieces.get(piece) ?? []), said]);
    add(pieceOfGroup(String(groupId)), rest);
    const isMember = result.outcome === 'advanced' || result.outcome === 'unchanged';
    if (messageId !== undefined) add(afterwardsIn(String(groupId)), { messageId });
    else if (isMember) add(afterwardsIn(String(groupId)), {});
  }
  return { ...whole({ status, groupIds }), ...Object.fromEntries(pieces) };
}

function piecesOfInbox(
  { status, body }: { status: number; body: Json },
  among: readonly string[],
): Record<string, Json> {
  if (status !== 200 || !isFields(body) || !Array.isArray(body.groups) || Object.keys(body).length > 1) {
    return whole({ status, body });
  }
  const groups = body.groups.filter(isFields);
  const groupIds = groups.map(({ groupId }) => String(groupId));
  // Twice the same is not in order either.
  const inOrder = groupIds.every((groupId, index) => index === 0 || (groupIds[index - 1] ?? '') < groupId);
  const pieces: Record<string, Json> = {};
  for (const groupId of among) {
    pieces[pieceOfGroup(groupId)] = groups.find((group) => group.groupId === groupId) ?? null;
  }
  const others = groupIds.filter((groupId) => !among.includes(groupId));
  return { ...whole({ status, inOrder, others }), ...pieces };
}
