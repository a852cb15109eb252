import type { Operation } from './operations.ts';

/*
 * Tidemark as the contract tells it, in arrays and loops: slow, plain, and of its own. Nothing here comes from the
 * service, so that a mistake there is not made here too. 0n stands for "no message".
 */

/** The time at which an operation moved something: known only once an answer has told it. */
export class Moment {
  readonly operation: number;
  readonly what: string;

  constructor(operation: number, what: string) {
    this.operation = operation;
    this.what = what;
  }
}

/** Stands where an answer has some text of its own. */
export const SOME_TEXT = Symbol('some text');
/** Stands where an answer tells what was wrong with a request. */
export const SOME_ERRORS = Symbol('some errors');

export type Expected =
  | null
  | boolean
  | number
  | string
  | Moment
  | typeof SOME_TEXT
  | typeof SOME_ERRORS
  | readonly Expected[]
  | { readonly [name: string]: Expected };

export interface Member {
  readonly userId: string;
  readonly joinedAfter: bigint;
  readonly revision: number;
  readonly own: bigint;
  readonly ownAt: Moment | null;
  readonly shown: bigint;
  readonly shownAt: Moment | null;
  readonly delivered: bigint;
  readonly deliveredAt: Moment | null;
}

export interface Message {
  readonly messageId: bigint;
  /** Null where it was deleted and never recorded. */
  readonly senderId: string | null;
  readonly deleted: boolean;
}

export interface Group {
  readonly groupId: string;
  readonly head: bigint;
  readonly messages: readonly Message[];
  readonly members: readonly Member[];
  /** No rule asks for those who left. A model that is wrong on purpose does. */
  readonly former: readonly Member[];
}

export interface State {
  readonly groups: readonly Group[];
  /** What answers have told of moments so far. */
  readonly times: Readonly<Record<string, string>>;
}

export const EMPTY: State = { groups: [], times: {} };

/**
 * What an operation sees of a group's messages. An answer may be put together of several reads. Alone they see the
 * same; while messages are recorded and deleted, each sees some moment of that time.
 */
export interface View {
  readonly headBefore: bigint;
  readonly head: bigint;
  readonly messages: readonly Message[];
}

/** One indivisible part of an operation: what it changes, and what it has to say in a piece of the answer. */
export interface Part {
  readonly piece: string;
  /** The group that it looks at or changes; null where the state does not matter. */
  readonly groupId: string | null;
  readonly changes: boolean;
  /** It happens after the part before it; and not at all, where the answer has no such piece. */
  readonly follows: boolean;
  run(state: State, view: View): { readonly next: State; readonly expected: Expected };
}

/** The piece of an answer that nothing is said in. */
export const SILENT = 'silent';
export const WHOLE = 'answer';
/** What an answer tells of the caller after what was done: by then another operation may have moved it again. */
export const AFTERWARDS = 'afterwards';
export const pieceOfGroup = (groupId: string) => `group ${groupId}`;
export const afterwardsIn = (groupId: string) => `${AFTERWARDS} in group ${groupId}`;

export interface Rules {
  clamp(messageId: bigint, head: bigint): bigint;
  /** What a mark moves; `stale` where its ifRevision is not the current revision. */
  moves(mark: {
    readonly isPrivate: boolean;
    readonly stale: boolean;
  }): Readonly<Record<'own' | 'shown' | 'delivered', boolean>>;
  isUnread(message: Message, member: Member): boolean;
  audience(group: Group, message: Message): readonly Member[];
  headAfterDeleting(group: Group, messageId: bigint): bigint;
  viewOnJoining(group: Group, userId: string, head: bigint): bigint;
}

export const RULES: Rules = {
  clamp: (messageId, head) => (head > 0n && messageId > head ? head : messageId),
  moves: ({ isPrivate, stale }) => ({ own: !stale, shown: !isPrivate, delivered: !isPrivate }),
  isUnread: (message, member) =>
    isRecorded(message) &&
    !message.deleted &&
    message.messageId > member.own &&
    message.senderId !== member.userId,
  audience: (group, message) =>
    group.members.filter(
      (member) => member.joinedAfter < message.messageId && member.userId !== message.senderId,
    ),
  headAfterDeleting: (group) => group.head,
  viewOnJoining: (_group, _userId, head) => head,
};

export const isRecorded = (message: Message) => message.senderId !== null;

export function groupOf(state: State, groupId: string): Group {
  return (
    state.groups.find((group) => group.groupId === groupId) ?? {
      groupId,
      head: 0n,
      messages: [],
      members: [],
      former: [],
    }
  );
}

/** What is there at this very moment. */
export function viewOf(state: State, groupId: string): View {
  const { head, messages } = groupOf(state, groupId);
  return { headBefore: head, head, messages };
}

function withGroup(state: State, changed: Group): State {
  return {
    ...state,
    groups: [...state.groups.filter((group) => group.groupId !== changed.groupId), changed].sort((a, b) =>
      a.groupId < b.groupId ? -1 : 1,
    ),
  };
}

function withMember(group: Group, changed: Member): Group {
  return {
    ...group,
    members: [...group.members.filter((member) => member.userId !== changed.userId), changed].sort((a, b) =>
      a.userId < b.userId ? -1 : 1,
    ),
  };
}

const memberOf = (group: Group, userId: string) => group.members.find((member) => member.userId === userId);
const messageOf = (group: { messages: readonly Message[] }, messageId: bigint) =>
  group.messages.find((message) => message.messageId === messageId);
const larger = (a: bigint, b: bigint) => (a > b ? a : b);
const told = (messageId: bigint) => (messageId === 0n ? null : messageId.toString());

function problem(status: number, code: string, more: Record<string, Expected> = {}): Expected {
  const body: Record<string, Expected> = {
    type: SOME_TEXT,
    title: SOME_TEXT,
    status,
    code,
    detail: SOME_TEXT,
    requestId: SOME_TEXT,
    ...more,
  };
  return { status, body };
}

const NOT_FOUND = problem(404, 'not_found');
const INVALID = problem(400, 'invalid_request', { errors: SOME_ERRORS });

/** How far a mark wants each to be. */
interface Targets {
  readonly own: bigint;
  readonly shown: bigint;
  readonly delivered: bigint;
}

function advance(groupId: string, member: Member, targets: Targets, operation: number): Member {
  const now = (what: string) => new Moment(operation, `${groupId} ${member.userId} ${what}`);
  let moved = member;
  if (targets.own > member.own) moved = { ...moved, own: targets.own, ownAt: now('own') };
  if (targets.shown > member.shown) moved = { ...moved, shown: targets.shown, shownAt: now('shown') };
  if (targets.delivered > member.delivered) {
    moved = {
      ...moved,
      delivered: targets.delivered,
      deliveredAt: now('delivered'),
    };
  }
  return moved;
}

/** The parts of an operation, in an order in which they may happen when it is alone. */
export function partsOf(operation: Operation, number: number, rules: Rules = RULES): readonly Part[] {
  const unread = (member: Member, { head, messages }: View): Expected =>
    head === 0n
      ? null
      : { count: messages.filter((message) => rules.isUnread(message, member)).length, exact: true };
  const ownView = (member: Member, view: View): Record<string, Expected> => ({
    messageId: told(member.own),
    readAt: member.ownAt,
    revision: member.revision,
    unread: unread(member, view),
  });
  const withHead = (member: Member, view: View): Record<string, Expected> => ({
    ...ownView(member, view),
    head: told(view.head),
  });
  const join = (group: Group, userId: string, head: bigint): Group => {
    const from = rules.viewOnJoining(group, userId, head);
    return withMember(group, {
      userId,
      joinedAfter: head,
      revision: 0,
      own: from,
      ownAt: null,
      shown: from,
      shownAt: null,
      delivered: from,
      deliveredAt: null,
    });
  };
  const counts = (group: Group, message: Message) => {
    const audience = rules.audience(group, message);
    const read = audience.filter((member) => member.shown >= message.messageId);
    const delivered = audience.filter((member) => member.delivered >= message.messageId);
    const unreadBy = audience.filter((member) => member.shown < message.messageId);
    return { audience, read, delivered, unread: unreadBy };
  };
  /** A part that looks at one group and changes nothing. */
  const reads = (groupId: string, expect: (group: Group, view: View) => Expected, piece = WHOLE): Part => ({
    piece,
    groupId,
    changes: false,
    follows: false,
    run: (state, view) => ({ next: state, expected: expect(groupOf(state, groupId), view) }),
  });
  /** A part that may change one group. */
  const writes = (
    groupId: string,
    change: (group: Group, view: View) => readonly [Group, Expected],
    piece = WHOLE,
  ): Part => ({
    piece,
    groupId,
    changes: true,
    follows: false,
    run: (state, view) => {
      const group = groupOf(state, groupId);
      const [changed, expected] = change(group, view);
      return { next: changed === group ? state : withGroup(state, changed), expected };
    },
  });
  /** What is told of the caller in the end. One who has left meanwhile is told how it was at last. */
  const tells = (
    groupId: string,
    userId: string,
    expect: (member: Member, view: View) => Expected,
    piece = AFTERWARDS,
  ): Part => ({
    ...reads(
      groupId,
      (group, view) => {
        const member = memberOf(group, userId) ?? group.former.find((former) => former.userId === userId);
        return member === undefined ? null : expect(member, view);
      },
      piece,
    ),
    follows: true,
  });
  const says = (expected: Expected): Part => ({
    piece: WHOLE,
    groupId: null,
    changes: false,
    follows: false,
    run: (state) => ({ next: state, expected }),
  });

  switch (operation.kind) {
    case 'join': {
      const { groupId, userId } = operation;
      return [
        writes(groupId, (group, { headBefore }) => {
          const member = memberOf(group, userId);
          if (member !== undefined) {
            return [group, { status: 200, body: { groupId, userId, joinedAfter: told(member.joinedAfter) } }];
          }
          return [
            join(group, userId, headBefore),
            { status: 201, body: { groupId, userId, joinedAfter: told(headBefore) } },
          ];
        }),
      ];
    }
    case 'join together': {
      const { groupId, userIds } = operation;
      return [
        writes(groupId, (group, { headBefore }) => {
          const added = userIds.filter((userId) => memberOf(group, userId) === undefined);
          const joined = added.reduce((sofar, userId) => join(sofar, userId, headBefore), group);
          return [
            joined,
            { status: 200, body: { added: added.length, existing: userIds.length - added.length } },
          ];
        }),
      ];
    }
    case 'leave': {
      const { groupId, userId } = operation;
      return [
        writes(groupId, (group) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [group, { status: 204, body: null }];
          return [
            {
              ...group,
              members: group.members.filter((other) => other !== member),
              former: [...group.former.filter((other) => other.userId !== userId), member],
            },
            { status: 204, body: null },
          ];
        }),
      ];
    }
    case 'list members': {
      return [
        reads(operation.groupId, (group) => ({
          status: 200,
          body: {
            members: group.members.map(({ userId, shown, joinedAfter }) => ({
              userId,
              messageId: told(shown),
              joinedAfter: told(joinedAfter),
            })),
          },
        })),
      ];
    }
    case 'record': {
      const { groupId, messageId, senderId } = operation;
      const message = writes(groupId, (group) => {
        const known = messageOf(group, messageId);
        const head = larger(group.head, messageId);
        const body = { groupId, messageId: messageId.toString(), head: head.toString() };
        if (known !== undefined && isRecorded(known)) return [group, { status: 200, body }];
        const recorded = { messageId, senderId, deleted: known?.deleted ?? false };
        return [
          { ...group, head, messages: withMessage(group.messages, recorded) },
          { status: 201, body },
        ];
      });
      const sender = writes(
        groupId,
        (group) => {
          const member = memberOf(group, senderId);
          if (member === undefined) return [group, null];
          const targets = { own: messageId, shown: messageId, delivered: messageId };
          return [withMember(group, advance(groupId, member, targets, number)), null];
        },
        SILENT,
      );
      return [message, sender];
    }
    case 'delete': {
      const { groupId, messageId } = operation;
      return [
        writes(groupId, (group) => {
          const senderId = messageOf(group, messageId)?.senderId ?? null;
          return [
            {
              ...group,
              head: rules.headAfterDeleting(group, messageId),
              messages: withMessage(group.messages, { messageId, senderId, deleted: true }),
            },
            { status: 204, body: null },
          ];
        }),
      ];
    }
    case 'mark': {
      const { groupId, userId, messageId, isPrivate, ifRevision } = operation;
      return [
        writes(groupId, (group, { headBefore }) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [group, NOT_FOUND];
          const target = rules.clamp(messageId, headBefore);
          const stale = ifRevision !== undefined && ifRevision !== member.revision;
          const moves = rules.moves({ isPrivate: isPrivate === true, stale });
          const marked = advance(
            groupId,
            member,
            {
              own: moves.own ? target : 0n,
              shown: moves.shown ? target : 0n,
              delivered: moves.delivered ? target : 0n,
            },
            number,
          );
          const said = { groupId, userId, advanced: marked !== member, clamped: target !== messageId };
          return [
            withMember(group, marked),
            stale ? problem(409, 'revision_conflict', said) : { status: 200, body: said },
          ];
        }),
        tells(groupId, userId, ownView),
      ];
    }
    case 'mark unread': {
      const { groupId, userId, messageId } = operation;
      return [
        writes(groupId, (group) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [group, NOT_FOUND];
          const said: Expected = { status: 200, body: { groupId, userId } };
          const target = larger(member.joinedAfter, messageId - 1n);
          if (target >= member.own) return [group, said];
          const marked = {
            ...member,
            own: target,
            ownAt: new Moment(number, `${groupId} ${userId} own`),
            revision: member.revision + 1,
          };
          return [withMember(group, marked), said];
        }),
        tells(groupId, userId, withHead),
      ];
    }
    case 'mark delivered': {
      const { groupId, userId, messageId } = operation;
      return [
        writes(groupId, (group, { headBefore }) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [group, NOT_FOUND];
          const target = rules.clamp(messageId, headBefore);
          const marked = advance(groupId, member, { own: 0n, shown: 0n, delivered: target }, number);
          return [
            withMember(group, marked),
            {
              status: 200,
              body: {
                groupId,
                userId,
                advanced: marked !== member,
                clamped: target !== messageId,
              },
            },
          ];
        }),
        tells(groupId, userId, (member) => ({ messageId: told(member.delivered) })),
      ];
    }
    case 'mark several': {
      const { userId, marks } = operation;
      const groupIds = [...new Set(marks.map(({ groupId }) => groupId))];
      const results = marks.map(({ groupId }) => groupId);
      return [
        says({ status: 200, groupIds: results }),
        ...groupIds.flatMap((groupId) => [
          writes(
            groupId,
            (group, { headBefore }) => {
              const own = marks.filter((mark) => mark.groupId === groupId);
              const member = memberOf(group, userId);
              if (member === undefined) return [group, own.map(() => ({ outcome: 'not_found' }))];
              let targets: Targets = { own: 0n, shown: 0n, delivered: 0n };
              for (const { messageId, isPrivate } of own) {
                const target = rules.clamp(messageId, headBefore);
                const moves = rules.moves({ isPrivate: isPrivate === true, stale: false });
                targets = {
                  own: moves.own ? larger(targets.own, target) : targets.own,
                  shown: moves.shown ? larger(targets.shown, target) : targets.shown,
                  delivered: moves.delivered ? larger(targets.delivered, target) : targets.delivered,
                };
              }
              const marked = advance(groupId, member, targets, number);
              const outcome = marked === member ? 'unchanged' : 'advanced';
              return [withMember(group, marked), own.map(() => ({ outcome }))];
            },
            pieceOfGroup(groupId),
          ),
          tells(
            groupId,
            userId,
            (member) =>
              marks.filter((mark) => mark.groupId === groupId).map(() => ({ messageId: told(member.own) })),
            afterwardsIn(groupId),
          ),
        ]),
      ];
    }
    case 'look': {
      const { groupId, userId } = operation;
      return [
        reads(groupId, (group, view) => {
          const member = memberOf(group, userId);
          if (member === undefined) return NOT_FOUND;
          return { status: 200, body: { groupId, userId, ...withHead(member, view) } };
        }),
      ];
    }
    case 'ask status': {
      const { groupId, userId, messageIds } = operation;
      return [
        reads(groupId, (group) => {
          const member = memberOf(group, userId);
          if (member === undefined) return NOT_FOUND;
          return {
            status: 200,
            body: {
              groupId,
              watermark: told(member.own),
              statuses: messageIds.map((messageId) => ({
                messageId: messageId.toString(),
                read: messageId <= member.own,
              })),
            },
          };
        }),
      ];
    }
    case 'inbox': {
      const { userId, unreadOnly, among } = operation;
      return [
        says({ status: 200, inOrder: true, others: [] }),
        ...among.map((groupId) =>
          reads(
            groupId,
            (group, view) => {
              const member = memberOf(group, userId);
              if (member === undefined) return null;
              const { readAt: _readAt, ...entry } = withHead(member, view);
              const hasUnread =
                view.head > 0n && view.messages.some((message) => rules.isUnread(message, member));
              return unreadOnly === true && !hasUnread ? null : { groupId, ...entry };
            },
            pieceOfGroup(groupId),
          ),
        ),
      ];
    }
    case 'ask receipts': {
      const { groupId, userId, messageId, state = 'read' } = operation;
      return [
        reads(groupId, (group) => {
          const message = messageOf(group, messageId);
          if (memberOf(group, userId) === undefined || message === undefined) return NOT_FOUND;
          if (!isRecorded(message) || message.deleted) return NOT_FOUND;
          const found = counts(group, message);
          return {
            status: 200,
            body: {
              groupId,
              messageId: messageId.toString(),
              senderId: message.senderId,
              audience: found.audience.length,
              readCount: found.read.length,
              deliveredCount: found.delivered.length,
              members: found[state].map((member) => ({
                userId: member.userId,
                at: state === 'delivered' ? member.deliveredAt : member.shownAt,
              })),
            },
          };
        }),
      ];
    }
    case 'ask receipts of several': {
      const { groupId, userId, messageIds } = operation;
      return [
        reads(groupId, (group) => {
          if (memberOf(group, userId) === undefined) return NOT_FOUND;
          const receipts = messageIds.map((messageId): Expected => {
            const message = messageOf(group, messageId);
            if (message === undefined || !isRecorded(message) || message.deleted) {
              return { messageId: messageId.toString(), known: false };
            }
            const { audience, read, delivered } = counts(group, message);
            return {
              messageId: messageId.toString(),
              known: true,
              audience: audience.length,
              readCount: read.length,
              deliveredCount: delivered.length,
              readByAll: audience.length > 0 && read.length === audience.length,
            };
          });
          return { status: 200, body: { groupId, receipts } };
        }),
      ];
    }
    case 'flush':
      return [];
    case 'ask wrongly':
      return [says(INVALID)];
  }
}

function withMessage(messages: readonly Message[], changed: Message): readonly Message[] {
  return [...messages.filter(({ messageId }) => messageId !== changed.messageId), changed].sort((a, b) =>
    a.messageId < b.messageId ? -1 : 1,
  );
}
