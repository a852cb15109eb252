import { freshPrefix } from '../support/engines.ts';
import type { Answer, Fact, Json, RunningStack } from '../support/running-stack.ts';
import { isFields } from './agreement.ts';
import type { Asked, Pick, TimelineFact } from './operations.ts';
import { AFTERWARDS, MEMBERS, pieceOfGroup, pieceOfLook, RECEIPTS, WHOLE } from './parts.ts';
import type { Seen, Service } from './play.ts';

/** The stack that histories are played on. Any number of them may be played at once. */
export interface Stage {
  readonly stack: RunningStack;
  /** Takes from the cache all that it holds of groups whose ids begin so: the others are in the middle of things. */
  emptyCache(prefix: string): Promise<void>;
  /** Takes some of what the cache holds of the group. */
  evict(groupId: string, picks: readonly Pick[]): Promise<void>;
  /** Resolves once these facts have been applied. */
  applied(eventIds: readonly string[]): Promise<void>;
}

/** The running stack, for one history with users and groups of its own. */
export function serviceOf(stage: Stage): Service {
  const playing = { ...stage, prefix: `${freshPrefix('h')}.`, startedAt: Date.now() };
  return {
    perform: (operation) => perform(playing, operation),
    observe: (operation) => observe(playing, operation),
  };
}

/** The history being played. */
interface Playing extends Stage {
  readonly prefix: string;
  readonly startedAt: number;
}

const MAX_PAGES = 100;

/** Asks the running stack, with the names of the history being played; its answers come in the short names. */
function askerOf({ stack, prefix }: Playing) {
  const ask = async (token: string, method: string, path: string, body?: Json): Promise<Told> => {
    const answer = await stack.call(token, method, path, body);
    const text = answer.text.replaceAll(prefix, '');
    const { status, contentType = null } = answer;
    if (!hasRightType(answer)) return { status, body: { contentType, text } };
    return { status, body: text === '' ? null : (JSON.parse(text) as Json) };
  };
  const named = (name: string) => encodeURIComponent(prefix + name);
  const asService = async (method: string, path: string, body?: Json) =>
    ask(await stack.serviceToken(), method, `/v1${path}`, body);
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
        ? ask(await stack.userToken(prefix + userId), method, `/v1${path}`, body)
        : asService(method, `/users/${named(userId)}${path}`, body),
  };
}

type Told = { status: number; body: Json };

/** Does the operation on the running stack, and returns the pieces of its answer, in the short names. */
async function perform(playing: Playing, operation: Asked): Promise<Seen> {
  const { stack, prefix } = playing;
  const { named, group, asService, asUser } = askerOf(playing);

  switch (operation.kind) {
    case 'join': {
      const { groupId, userId, joinedAfter } = operation;
      const path = `${group(groupId)}/members/${named(userId)}`;
      if (joinedAfter === undefined) return whole(await asService('PUT', path));
      return whole(await asService('PUT', path, { joinedAfter: said(joinedAfter) }));
    }
    case 'join together': {
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
      const { groupId, messageId, isPrivate, ifRevision } = operation;
      const body = {
        messageId: said(messageId),
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
        await asUser(operation, method, `${group(groupId)}/${name}`, { messageId: said(messageId) }),
      );
    }
    case 'mark several': {
      const marks = operation.marks.map(({ groupId, messageId, isPrivate, ifRevision, isDelivered }) => ({
        groupId: prefix + groupId,
        messageId: said(messageId),
        ...(isPrivate !== undefined && { private: isPrivate }),
        ...(ifRevision !== undefined && { ifRevision }),
        ...(isDelivered !== undefined && { delivered: isDelivered }),
      }));
      return piecesByGroup(await asUser(operation, 'POST', '/watermarks', { marks }));
    }
    case 'look':
      return whole(await asUser(operation, 'GET', `${group(operation.groupId)}/watermark`));
    case 'ask status':
    case 'ask receipts of several': {
      const { kind, groupId, messageIds } = operation;
      const name = kind === 'ask status' ? 'messages/status' : 'receipts';
      return whole(
        await asUser(operation, 'POST', `${group(groupId)}/${name}`, { messageIds: messageIds.map(said) }),
      );
    }
    case 'inbox':
      return piecesOfInbox(
        await everyPage('groups', operation.limit ?? 200, operation, (query) =>
          asUser(operation, 'GET', `/inbox${query}`),
        ),
        operation.among,
      );
    case 'ask receipts': {
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
    case 'ask wrongly': {
      const { userId, groupId, mistake } = operation;
      const there = (text: string, name: string) => text.replaceAll('{groupId}', name);
      const path = there(mistake.path, named(groupId));
      const text =
        mistake.body === undefined ? undefined : there(JSON.stringify(mistake.body), prefix + groupId);
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

/** As many as the bus takes in one call. */
const FACTS_AT_ONCE = 10;
const MINUTE_MS = 60_000;
/** The ticks from here on are ahead of now, by hours. */
const FIRST_TICK_AHEAD = 27;

/** The time of a tick: in the past minutes, but for the last. */
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
      const { messageId, senderId } = fact;
      return {
        detailType: 'MessageSent',
        detail: { groupId, messageId: said(messageId), senderId: prefix + senderId, sentAt: time },
      };
    }
    case 'deleted':
      return { detailType: 'MessageDeleted', detail: { groupId, messageId: said(fact.messageId) } };
    case 'joined': {
      const { userId, joinedAfter } = fact;
      const after = joinedAfter === undefined ? {} : { joinedAfter: said(joinedAfter) };
      return {
        detailType: 'MemberJoined',
        detail: { groupId, userId: prefix + userId, joinedAt: time, ...after },
      };
    }
    case 'left':
      return { detailType: 'MemberLeft', detail: { groupId, userId: prefix + fact.userId, leftAt: time } };
  }
}

/** What is to be seen of the facts. */
async function observe(playing: Playing, operation: Asked): Promise<Seen> {
  if (operation.kind !== 'facts') return {};
  const { group, asService, asUser } = askerOf(playing);
  const { groupId, watcherId, messageIds, userIds } = operation;
  const [members, receipts, ...looks] = await Promise.all([
    everyPage('members', 500, operation, (query) => asService('GET', `${group(groupId)}/members${query}`)),
    messageIds.length === 0
      ? null
      : asUser({ userId: watcherId, by: 'user' }, 'POST', `${group(groupId)}/receipts`, {
          messageIds: messageIds.map(said),
        }),
    ...userIds.map(async (userId) => {
      const answer = await asUser({ userId, by: 'user' }, 'GET', `${group(groupId)}/watermark`);
      return [pieceOfLook(userId), answer] as const;
    }),
  ]);
  return {
    [MEMBERS]: sorted(members),
    ...(receipts !== null && { [RECEIPTS]: receipts }),
    ...Object.fromEntries(looks),
  };
}

/** Ids go in as text, or as numbers where these are exact. */
const said = (messageId: bigint): Json =>
  messageId <= BigInt(Number.MAX_SAFE_INTEGER) && messageId % 3n === 0n
    ? Number(messageId)
    : messageId.toString();

const whole = (answer: Json): Seen => ({ [WHOLE]: answer });

function hasRightType({ status, contentType, text }: Answer): boolean {
  if (status === 204) return text === '';
  return contentType?.split(';')[0] === (status >= 400 ? 'application/problem+json' : 'application/json');
}

/**
 * Follows the cursors to the end, and returns one answer with all that the pages list. What the pages say beside
 * must not change between them.
 */
async function everyPage(
  list: string,
  limit: number,
  options: Asked,
  ask: (query: string) => Promise<Told>,
): Promise<Told> {
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
function sorted(answer: Told): Json {
  if (!isFields(answer.body) || !Array.isArray(answer.body.members)) return answer;
  const userIdOf = (member: Json) => (isFields(member) ? String(member.userId) : '');
  const members = answer.body.members.toSorted((a, b) => (userIdOf(a) < userIdOf(b) ? -1 : 1));
  return { ...answer, body: { ...answer.body, members } };
}

const TOLD_AFTERWARDS = ['messageId', 'readAt', 'revision', 'head', 'unread'];

/** What was done, and apart from it what is told of the caller. */
function withAfterwards({ status, body }: Told): Seen {
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
function piecesByGroup({ status, body }: Told): Seen {
  if (status !== 200 || !isFields(body) || !Array.isArray(body.results) || Object.keys(body).length > 1) {
    return whole({ status, body });
  }
  const groupIds: Json[] = [];
  const pieces = new Map<string, Json[]>();
  for (const result of body.results) {
    if (!isFields(result)) return whole({ status, body });
    const { groupId, ...rest } = result;
    groupIds.push(groupId ?? null);
    const piece = pieceOfGroup(String(groupId));
    pieces.set(piece, [...(pieces.get(piece) ?? []), rest]);
  }
  return { ...whole({ status, groupIds }), ...Object.fromEntries(pieces) };
}

function piecesOfInbox({ status, body }: Told, among: readonly string[]): Seen {
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
