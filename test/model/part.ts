import type { Json } from '../support/running-stack.ts';
import { type Expected, type Learned, Revision, SOME_ERRORS, SOME_TEXT } from './expected.ts';
import {
  type Group,
  groupOf,
  keyOfRevision,
  type Member,
  memberOf,
  type State,
  type View,
  withGroup,
} from './model.ts';
import { withNotes } from './overtaking.ts';
import type { Rules } from './rules.ts';

/** One possible outcome: the next state, and the piece of the answer that it leads to. */
export interface Outcome {
  readonly next: State;
  readonly expected: Expected;
}

/** An atomic part of an operation: it makes one change, and gives one piece of the answer. */
export interface Part {
  readonly piece: string;
  /** The group that it reads or changes; null if the state does not matter. */
  readonly groupId: string | null;
  /** The users whose registers it reads or moves. */
  readonly touches: 'all' | readonly string[];
  readonly changes: boolean;
  /** Whether it records or deletes messages. */
  readonly changesMessages: boolean;
  /** Whether it is about all groups of the users that it touches, in place of one. */
  readonly isAboutAll?: boolean;
  /** Whether it runs after the part before it, and only if the answer has its piece. */
  readonly follows: boolean;
  /** All outcomes that the contract allows. */
  run(state: State, view: View): readonly Outcome[];
}

/** The pieces of an answer. */
export type AnswerPieces = { readonly [piece: string]: Json };

/** For parts without a piece in the answer. */
export const SILENT = 'silent';
/** The answer, except for fields that have a piece of their own. */
export const WHOLE = 'answer';
/** The caller's state in the answer, which is read after the change. Another operation may have moved it in between. */
export const AFTERWARDS = 'afterwards';
export const MEMBERS = 'members';
export const RECEIPTS = 'receipts';
/** What is left of an erased user. */
export const LEFT = 'left';
export const pieceOfGroup = (groupId: string) => `group ${groupId}`;
export const pieceOfEntry = (index: number) => `entry ${index}`;
export const pieceOfBadge = (userId: string) => `badge of ${userId}`;
export const pieceOfView = (userId: string) => `view of ${userId}`;

export const idText = (messageId: bigint) => (messageId === 0n ? null : messageId.toString());

export function problem(status: number, code: string, more: Record<string, Expected> = {}): Expected {
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

export const NOT_FOUND = problem(404, 'not_found');
export const INVALID = problem(400, 'invalid_request', { errors: SOME_ERRORS });
/** The group's receipts are not for this caller. */
export const RECEIPTS_OFF = problem(403, 'receipts_off');

export const shownRevision = (member: Member): Expected =>
  expectedRevision(member, keyOfRevision(member.membership));

export const expectedRevision = ({ base, raises }: Pick<Member, 'base' | 'raises'>, key: string): Expected =>
  typeof base === 'number' ? base + raises : new Revision(key, base, raises);

/** One possible change of a group, and the piece of the answer that it leads to. */
export interface Change {
  readonly group: Group;
  readonly learned: Learned;
  readonly expected: Expected;
}

const ONLY_READS = { changes: false, changesMessages: false, follows: false } as const;
const CHANGES = { ...ONLY_READS, changes: true } as const;

/** The kinds of parts that an operation may have, by its number. */
export function partsFor(number: number, rules: Rules) {
  /** A part that reads one group and changes nothing. */
  const reads = (
    groupId: string,
    touches: Part['touches'],
    expect: (group: Group, view: View, learned: Learned) => Expected,
    piece = WHOLE,
  ): Part => ({
    piece,
    groupId,
    touches,
    ...ONLY_READS,
    run: (state, view) => [{ next: state, expected: expect(groupOf(state, groupId), view, state.learned) }],
  });
  /** A part that may change one group, in one of several ways. */
  const mayWrite = (
    groupId: string,
    touches: readonly string[],
    change: (group: Group, view: View, learned: Learned) => readonly Change[],
    piece = WHOLE,
  ): Part => ({
    piece,
    groupId,
    touches,
    ...CHANGES,
    run: (state, view) =>
      change(groupOf(state, groupId), view, state.learned).map(({ group, learned, expected }) => ({
        next: { ...withGroup(state, withNotes(group, number, rules)), learned },
        expected,
      })),
  });
  /** A part that may change one group. */
  const writes = (
    groupId: string,
    touches: readonly string[],
    change: (group: Group, view: View, learned: Learned) => readonly [Group, Expected],
    piece = WHOLE,
  ): Part =>
    mayWrite(
      groupId,
      touches,
      (before, view, learned) => {
        const [group, expected] = change(before, view, learned);
        return [{ group, learned, expected }];
      },
      piece,
    );
  /** The caller's state at the end of the answer. If the user has left in between, it is the user's last state. */
  const endsWith = (
    groupId: string,
    userId: string,
    expect: (member: Member, view: View) => Expected,
  ): Part => ({
    ...reads(
      groupId,
      [userId],
      (group, view) => {
        const member = memberOf(group, userId) ?? group.former.findLast((former) => former.userId === userId);
        return member === undefined ? null : expect(member, view);
      },
      AFTERWARDS,
    ),
    follows: true,
  });
  /** A part whose piece is always the same. */
  const answersWith = (expected: Expected, piece = WHOLE): Part => ({
    piece,
    groupId: null,
    touches: [],
    ...ONLY_READS,
    run: (state) => [{ next: state, expected }],
  });

  /** A part that reads all groups of a user and changes nothing. */
  const readsAll = (userId: string, expect: (state: State) => Expected, piece = WHOLE): Part => ({
    piece,
    groupId: null,
    touches: [userId],
    ...ONLY_READS,
    isAboutAll: true,
    run: (state) => [{ next: state, expected: expect(state) }],
  });

  /** A part that may change all groups. */
  const writesAll = (change: (group: Group) => Group, expected: Expected): Part => ({
    piece: WHOLE,
    groupId: null,
    touches: [],
    ...CHANGES,
    isAboutAll: true,
    run: (state) => {
      const groups = state.groups.map((group) => withNotes(change(group), number, rules));
      return [{ next: { ...state, groups }, expected }];
    },
  });

  return { reads, readsAll, mayWrite, writes, writesAll, endsWith, answersWith };
}
