import { eventually, freshPrefix } from '../support/engines.ts';
import type { Answer, Fact, Json, RunningStack } from '../support/running-stack.ts';
import { isFields } from './agreement.ts';
import {
  piecesByEntry,
  piecesByGroup,
  piecesByUser,
  piecesOfAll,
  piecesOfExport,
  piecesOfInbox,
  type StatusAndBody,
  sorted,
  whole,
  withAfterwards,
} from './answer-pieces.ts';
import { given } from './model.ts';
import type { Evicted, OperationRequest, TimelineFact } from './operations.ts';
import { type AnswerPieces, LEFT, MEMBERS, pieceOfGroup, pieceOfView, RECEIPTS } from './part.ts';
import type { Service } from './play.ts';
import type { Sending } from './recording.ts';

/** The stack that histories are played on. Several histories can be played at once. */
export interface Stage {
  readonly stack: RunningStack;
  /** Deletes the cache's data of all groups whose ids begin with `prefix`: other histories are running. */
  emptyCache(prefix: string): Promise<void>;
  /** Deletes some of the cache's data of the group. */
  evict(groupId: string, picks: readonly Evicted[]): Promise<void>;
  /** Resolves when these facts have been applied. */
  applied(eventIds: readonly string[]): Promise<void>;
}

/** The running stack, for one history with its own users and groups. */
export function serviceOf(stage: Stage): Service {
  const playing = {
    ...stage,
    prefix: `${freshPrefix('h')}.`,
    startedAt: Date.now(),
    eventsBefore: stage.stack.stack.bus.events.length,
    seen: new Set<string>(),
  };
  return {
    perform: (operation) => perform(playing, operation),
    observe: (operation) => observe(playing, operation),
  };
}

/** The history being played. */
interface Playing extends Stage {
  readonly prefix: string;
  readonly startedAt: number;
  /** The number of events on the bus when the history began. */
  readonly eventsBefore: number;
  /** The ids of the reminders' events that were read. */
  readonly seen: Set<string>;
}

const MAX_PAGES = 100;

/** Calls the running stack. Adds the prefix of the current history to ids, and removes it from answers. */
function callerOf({ stack, prefix }: Playing) {
  const send = async (token: string, method: string, path: string, body?: Json): Promise<StatusAndBody> => {
    const answer = await stack.call(token, method, path, body);
    const text = answer.text.replaceAll(prefix, '');
    const { status, contentType = null } = answer;
    if (!hasRightType(answer)) return { status, body: { contentType, text } };
    return { status, body: text === '' ? null : (JSON.parse(text) as Json) };
  };
  const named = (name: string) => encodeURIComponent(prefix + name);
  const asService = async (method: string, path: string, body?: Json) =>
    send(await stack.serviceToken(), method, `/v1${path}`, body);
  return {
    named,
    group: (groupId: string) => `/groups/${named(groupId)}`,
    asService,
    asUser: async (
      { userId, by }: { userId: string; by: 'user' | 'service' },
      method: string,
      path: string,
      body?: Json,
    ) =>
      by === 'user'
        ? send(await stack.userToken(prefix + userId), method, `/v1${path}`, body)
        : asService(method, `/users/${named(userId)}${path}`, body),
  };
}

/** Performs the operation on the running stack. Returns the pieces of its answer, with the short names. */
async function perform(playing: Playing, operation: OperationRequest): Promise<AnswerPieces> {
  const { stack, prefix } = playing;
  const { named, group, asService, asUser } = callerOf(playing);

  switch (operation.kind) {
    case 'join': {
      const { groupId, userId, joinedAfter } = operation;
      const path = `${group(groupId)}/members/${named(userId)}`;
      if (joinedAfter === undefined) return whole(await asService('PUT', path));
      return whole(await asService('PUT', path, { joinedAfter: idInJson(joinedAfter) }));
    }
    case 'add members': {
      const userIds = operation.userIds.map((userId) => prefix + userId);
      return whole(await asService('POST', `${group(operation.groupId)}/members`, { userIds }));
    }
    case 'leave':
      return whole(
        await asService('DELETE', `${group(operation.groupId)}/members/${named(operation.userId)}`),
      );
    case 'list members':
      return whole(
        sorted(
          await everyPage('members', operation.limit ?? 500, operation, (query) =>
            asService('GET', `${group(operation.groupId)}/members${query}`),
          ),
        ),
      );
    case 'record': {
      const { groupId, sentAt } = operation;
      const body = {
        ...sendingInJson(operation, prefix),
        ...(sentAt !== undefined && { sentAt: timeOf(sentAt) }),
      };
      return whole(await asService('POST', `${group(groupId)}/messages`, body));
    }
    case 'record several': {
      const messages = operation.messages.map((sending) => ({
        groupId: prefix + sending.groupId,
        ...sendingInJson(sending, prefix),
      }));
      return piecesByEntry(await asService('POST', '/messages', { messages }));
    }
    case 'delete':
      return whole(await asService('DELETE', `${group(operation.groupId)}/messages/${operation.messageId}`));
    case 'mark': {
      const { groupId, messageId, isPrivate, ifRevision } = operation;
      const body = {
        messageId: idInJson(messageId),
        ...(isPrivate !== undefined && { private: isPrivate }),
        ...(ifRevision !== undefined && { ifRevision }),
      };
      return withAfterwards(await asUser(operation, 'PUT', `${group(groupId)}/watermark`, body));
    }
    case 'mark unread':
    case 'mark delivered': {
      const { kind, groupId, messageId } = operation;
      const [method, name] = kind === 'mark unread' ? ['POST', 'unread'] : ['PUT', 'delivered'];
      return withAfterwards(
        await asUser(operation, method, `${group(groupId)}/${name}`, { messageId: idInJson(messageId) }),
      );
    }
    case 'mark several': {
      const marks = operation.marks.map(({ groupId, messageId, isPrivate, ifRevision, isDelivered }) => ({
        groupId: prefix + groupId,
        messageId: idInJson(messageId),
        ...(isPrivate !== undefined && { private: isPrivate }),
        ...(ifRevision !== undefined && { ifRevision }),
        ...(isDelivered !== undefined && { delivered: isDelivered }),
      }));
      return piecesByGroup(await asUser(operation, 'POST', '/watermarks', { marks }));
    }
    case 'get watermark':
      return whole(await asUser(operation, 'GET', `${group(operation.groupId)}/watermark`));
    case 'get status':
    case 'count receipts': {
      const { kind, groupId, messageIds } = operation;
      const name = kind === 'get status' ? 'messages/status' : 'receipts';
      return whole(
        await asUser(operation, 'POST', `${group(groupId)}/${name}`, {
          messageIds: messageIds.map(idInJson),
        }),
      );
    }
    case 'inbox': {
      const { parentId, limit, among } = operation;
      const options = { ...operation, parentId: parentId === undefined ? undefined : prefix + parentId };
      return piecesOfInbox(
        await everyPage('groups', limit ?? 200, options, (query) =>
          asUser(operation, 'GET', `/inbox${query}`),
        ),
        among,
      );
    }
    case 'mark all':
      return piecesOfAll(await markAll(playing, operation), operation.among);
    case 'get badge':
      return whole(await asUser(operation, 'GET', '/badge'));
    case 'count badges': {
      const userIds = operation.userIds.map((userId) => prefix + userId);
      return piecesByUser(await asService('POST', '/badges', { userIds }));
    }
    case 'list receipts': {
      const { groupId, messageId, limit } = operation;
      return whole(
        sorted(
          await everyPage('members', limit ?? 500, operation, (query) =>
            asUser(operation, 'GET', `${group(groupId)}/messages/${messageId}/receipts${query}`),
          ),
        ),
      );
    }
    case 'facts': {
      const facts = operation.facts.map((fact) => onBus(fact, operation.groupId, playing));
      const eventIds: string[] = [];
      for (let at = 0; at < facts.length; at += FACTS_AT_ONCE) {
        eventIds.push(...(await stack.putFacts(facts.slice(at, at + FACTS_AT_ONCE))));
      }
      await playing.applied(eventIds);
      return observe(playing, operation);
    }
    case 'get preferences':
      return whole(await asUser(operation, 'GET', `${group(operation.groupId)}/preferences`));
    case 'set preferences':
      return whole(
        await asUser(operation, 'PATCH', `${group(operation.groupId)}/preferences`, given(operation.patch)),
      );
    case 'get group':
      return whole(await asService('GET', group(operation.groupId)));
    case 'delete group':
      return whole(await asService('DELETE', group(operation.groupId)));
    case 'set group': {
      const { groupId, parentId, receipts } = operation;
      return whole(
        await asService('PUT', group(groupId), {
          ...(parentId !== undefined && { parentId: parentId === null ? null : prefix + parentId }),
          ...(receipts !== undefined && { receipts }),
        }),
      );
    }
    case 'export':
      return piecesOfExport(await exportOf(playing, operation.userId), operation.among);
    case 'erase user': {
      const eventsBefore = stack.stack.bus.events.length;
      const answer = await asService('DELETE', `/users/${named(operation.userId)}`);
      return {
        ...whole(answer),
        ...(answer.status === 202 && (await afterErasing(playing, operation.userId, eventsBefore))),
      };
    }
    case 'turn clock':
      return turnClock(playing, operation);
    case 'send malformed': {
      const { userId, groupId, mistake } = operation;
      const inGroup = (text: string, name: string) => text.replaceAll('{groupId}', name);
      const path = inGroup(mistake.path, named(groupId));
      const text =
        mistake.body === undefined ? undefined : inGroup(JSON.stringify(mistake.body), prefix + groupId);
      if (mistake.by === 'service') return whole(await asService(mistake.method, path, text));
      return whole(await asUser({ userId, by: 'user' }, mistake.method, path, text));
    }
    case 'flush':
      await playing.emptyCache(prefix);
      return {};
    case 'evict':
      await playing.evict(prefix + operation.groupId, operation.picks);
      return {};
  }
}

/** The most facts that the bus accepts in one call. */
const FACTS_AT_ONCE = 10;
const MINUTE_MS = 60_000;
/** Ticks from here on are hours in the future. */
const FIRST_TICK_AHEAD = 27;

/** The time of a tick: within the past minutes, except for the last ticks. */
function timeOfTick(tick: number, startedAt: number): string {
  const ahead = tick - FIRST_TICK_AHEAD;
  const ms = ahead < 0 ? ahead * MINUTE_MS + tick : (ahead + 1) * 97 * MINUTE_MS;
  return new Date(startedAt + ms).toISOString().replace(/\.000Z$/, '.001Z');
}

function onBus(fact: TimelineFact, group: string, { prefix, startedAt }: Playing): Fact {
  const groupId = prefix + group;
  const time = 'at' in fact ? timeOfTick(fact.at, startedAt) : '';
  switch (fact.kind) {
    case 'sent': {
      return {
        detailType: 'MessageSent',
        detail: { groupId, ...sendingInJson(fact, prefix), sentAt: time },
      };
    }
    case 'deleted':
      return { detailType: 'MessageDeleted', detail: { groupId, messageId: idInJson(fact.messageId) } };
    case 'joined': {
      const { userId, joinedAfter } = fact;
      const after = joinedAfter === undefined ? {} : { joinedAfter: idInJson(joinedAfter) };
      return {
        detailType: 'MemberJoined',
        detail: { groupId, userId: prefix + userId, joinedAt: time, ...after },
      };
    }
    case 'left':
      return { detailType: 'MemberLeft', detail: { groupId, userId: prefix + fact.userId, leftAt: time } };
  }
}

/** Reads what users see of the facts. */
async function observe(playing: Playing, operation: OperationRequest): Promise<AnswerPieces> {
  if (operation.kind !== 'facts') return {};
  const { group, asService, asUser } = callerOf(playing);
  const { groupId, watcherId, messageIds, userIds } = operation;
  const [members, receipts, ...views] = await Promise.all([
    everyPage('members', 500, operation, (query) => asService('GET', `${group(groupId)}/members${query}`)),
    messageIds.length === 0
      ? null
      : asUser({ userId: watcherId, by: 'user' }, 'POST', `${group(groupId)}/receipts`, {
          messageIds: messageIds.map(idInJson),
        }),
    ...userIds.map(async (userId) => {
      const answer = await asUser({ userId, by: 'user' }, 'GET', `${group(groupId)}/watermark`);
      return [pieceOfView(userId), answer] as const;
    }),
  ]);
  return {
    [MEMBERS]: sorted(members),
    ...(receipts !== null && { [RECEIPTS]: receipts }),
    ...Object.fromEntries(views),
  };
}

const exportOf = (playing: Playing, userId: string): Promise<StatusAndBody> => {
  const { asService, named } = callerOf(playing);
  return everyPage('memberships', EXPORTED_AT_ONCE, { kind: 'export', userId, among: [] }, (query) =>
    asService('GET', `/users/${named(userId)}/export${query}`),
  );
};

/**
 * Waits until an erasure is over, and returns its event, and what is stored of the user then. If it is not over at the
 * deadline, it returns what there is, which the model does not agree with.
 */
async function afterErasing(playing: Playing, userId: string, eventsBefore: number): Promise<AnswerPieces> {
  let exported: StatusAndBody = { status: 0, body: null };
  let event: Json = null;
  await eventually(async () => {
    exported = await exportOf(playing, userId);
    const isUnderWay = !isFields(exported.body) || JSON.stringify(exported.body.erasures) !== '[]';
    if (isUnderWay) throw new Error('the erasure is under way');
    const ended = (await eventsSince(playing, eventsBefore)).findLast(
      ({ 'detail-type': type, detail }) => type === 'UserErased' && detail.userId === playing.prefix + userId,
    );
    if (ended === undefined) throw new Error('the erasure has no event yet');
    event = { ...ended.detail, userId };
  }).catch(() => undefined);
  return { [LEFT]: { event, exported } };
}

/** The events on the bus after the first `before`. */
const eventsSince = async ({ stack }: Playing, before: number) => (await stack.events()).slice(before);

/**
 * Turns the clock, and returns the events of the reminders that were due. An event may come twice, but not in a later turn:
 * that would be a second reminder.
 */
async function turnClock(
  playing: Playing,
  { advanceSeconds, among }: Extract<OperationRequest, { kind: 'turn clock' }>,
): Promise<AnswerPieces> {
  const { stack, prefix, seen } = playing;
  const { status } = await stack.call(null, 'POST', '/_local/clock', { advanceSeconds });
  await eventually(() => {
    const { length } = stack.queue('send-reminders').messages();
    if (length > 0) throw new Error(`${length} reminders wait to be sent`);
  });
  const events = (await eventsSince(playing, playing.eventsBefore)).filter(
    ({ id, 'detail-type': type, detail }) =>
      type === 'MessageStillUnread' && String(detail.groupId).startsWith(prefix) && !seen.has(id),
  );
  for (const { id } of events) seen.add(id);
  const named = events.map(
    ({ detail }) => JSON.parse(JSON.stringify(detail).replaceAll(prefix, '')) as Named,
  );
  const inOrder = named.toSorted((a, b) => (BigInt(a.messageId) < BigInt(b.messageId) ? -1 : 1));
  const others: Json[] = [];
  const found = new Map(among.map((groupId) => [groupId, new Map<string, Json>()]));
  for (const { groupId, userIds, ...rest } of inOrder) {
    const event: Json = { ...rest, userIds: userIds.toSorted() };
    const ofGroup = found.get(groupId);
    if (ofGroup === undefined) others.push(event);
    else ofGroup.set(JSON.stringify(event), event);
  }
  const pieces = [...found].map(([groupId, ofGroup]) => [pieceOfGroup(groupId), [...ofGroup.values()]]);
  return { ...whole({ status, others }), ...Object.fromEntries(pieces) };
}

interface Named {
  readonly groupId: string;
  readonly messageId: string;
  readonly userIds: readonly string[];
  readonly [field: string]: Json | readonly string[];
}

const timeOf = (sentAt: string | number) =>
  typeof sentAt === 'string' ? sentAt : new Date(Date.now() - sentAt * 1_000).toISOString();

/** Ids are sent as text, or as numbers if these are exact. */
const idInJson = (messageId: bigint): Json =>
  messageId <= BigInt(Number.MAX_SAFE_INTEGER) && messageId % 3n === 0n
    ? Number(messageId)
    : messageId.toString();

function sendingInJson({ messageId, senderId, attributes }: Sending, prefix: string) {
  const { silent, mentions, advanceSender, remindAfterSeconds } = attributes;
  const mentioned = mentions === 'all' ? mentions : mentions?.map((userId) => prefix + userId);
  return {
    messageId: idInJson(messageId),
    senderId: prefix + senderId,
    ...(silent !== undefined && { silent }),
    ...(mentioned !== undefined && { mentions: mentioned }),
    ...(advanceSender !== undefined && { advanceSender }),
    ...(remindAfterSeconds !== undefined && { remindAfterSeconds }),
  };
}

function hasRightType({ status, contentType, text }: Answer): boolean {
  if (status === 202 || status === 204) return text === '';
  return contentType?.split(';')[0] === (status >= 400 ? 'application/problem+json' : 'application/json');
}

/**
 * Follows the cursors to the end, and returns one answer with the entries of all pages. All other fields must be
 * equal on every page.
 */
async function everyPage(
  list: string,
  limit: number,
  options: OperationRequest,
  fetchPage: (query: string) => Promise<StatusAndBody>,
): Promise<StatusAndBody> {
  const query = new URLSearchParams();
  for (const name of ['state', 'unreadOnly', 'parentId', 'archived', 'limit'] as const) {
    const value: unknown = Reflect.get(options, name);
    if (value !== undefined) query.set(name, String(value));
  }
  const found: Json[] = [];
  let otherFields: Json | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await fetchPage(query.size === 0 ? '' : `?${query}`);
    if (answer.status !== 200 || !isFields(answer.body)) return answer;
    const { [list]: listed, cursor, ...rest } = answer.body;
    if (!Array.isArray(listed) || listed.length > limit || (cursor !== null && typeof cursor !== 'string')) {
      return answer;
    }
    if (otherFields !== undefined && JSON.stringify(otherFields) !== JSON.stringify(rest)) {
      return { status: 200, body: { ...rest, before: otherFields } };
    }
    otherFields = rest;
    found.push(...listed);
    if (cursor === null) return { status: 200, body: { ...rest, [list]: found } };
    query.set('cursor', cursor);
  }
  return { status: 200, body: 'there is no end to the pages' };
}

/** The most items of an export's page. */
const EXPORTED_AT_ONCE = 100;

/** The most groups that one call marks. */
const GROUPS_AT_ONCE = 100;

/** Marks all groups, a page at a time. */
async function markAll(
  playing: Playing,
  operation: Extract<OperationRequest, { kind: 'mark all' }>,
): Promise<StatusAndBody> {
  const { parentId, unmutedOnly } = operation;
  const body = {
    ...(parentId !== undefined && { parentId: playing.prefix + parentId }),
    ...(unmutedOnly !== undefined && { unmutedOnly }),
  };
  const results: Json[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer: StatusAndBody = await callerOf(playing).asUser(operation, 'POST', '/watermarks/all', {
      ...body,
      ...(cursor !== null && { cursor }),
    });
    if (answer.status !== 200 || !isFields(answer.body)) return answer;
    const { results: marked, cursor: next, ...rest } = answer.body;
    const isPage = Array.isArray(marked) && marked.length <= GROUPS_AT_ONCE;
    if (!isPage || (next !== null && typeof next !== 'string')) return answer;
    results.push(...marked);
    if (next === null) return { status: 200, body: { ...rest, results } };
    cursor = next;
  }
  return { status: 200, body: 'there is no end to the pages' };
}
