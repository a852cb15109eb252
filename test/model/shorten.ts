import { ALL_GROUPS } from './choices.ts';
import { given, NO_ATTRIBUTES, NO_PATCH } from './model.ts';
import { factsOf, type History, type Operation, type Step } from './operations.ts';

/**
 * Searches for a short history that still fails. Leaves out steps, many at a time and then fewer, then operations of
 * steps, then entries of operations. Ends with the shortest one if nothing more can be left out, or at `isLate`.
 */
export async function shorten(
  history: History,
  fails: (history: History) => Promise<boolean>,
  isLate: () => boolean,
): Promise<History> {
  let shortest = history;
  const attempt = async (shorter: History): Promise<boolean> => {
    if (shorter.length === 0 || isLate() || !(await fails(shorter))) return false;
    shortest = shorter;
    return true;
  };

  // Leaving out first what seldom matters saves the most time.
  const last = history.at(-1) ?? [];
  for (const matters of [mayChange, sharesGroup, sharesUser]) {
    const others = shortest.slice(0, -1).map((step) => step.filter((operation) => matters(operation, last)));
    await attempt([...others.filter((step) => step.length > 0), last]);
  }
  for (let isShorter = true; isShorter && !isLate(); ) {
    isShorter = false;
    for (let size = Math.ceil(shortest.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let end = shortest.length; end > 0; end -= size) {
        const without = shortest.filter((_step, index) => index < end - size || index >= end);
        isShorter = (await attempt(without)) || isShorter;
      }
    }
    for (let at = shortest.length - 1; at >= 0; at -= 1) {
      for (const step of smallerSteps(shortest[at] ?? [])) {
        if (!(await attempt(shortest.with(at, step)))) continue;
        isShorter = true;
        break;
      }
    }
  }
  return shortest;
}

const CHANGES: ReadonlySet<Operation['kind']> = new Set([
  'join',
  'add members',
  'leave',
  'record',
  'record several',
  'delete',
  'mark',
  'mark unread',
  'mark delivered',
  'mark several',
  'facts',
  'set preferences',
  'set group',
  'delete group',
  'mark all',
  'erase user',
  'turn clock',
]);
const mayChange = ({ kind }: Operation) => CHANGES.has(kind);

function groupsOf(operation: Operation): readonly string[] {
  if (operation.kind === 'mark several') return operation.marks.map(({ groupId }) => groupId);
  if (operation.kind === 'record several') return operation.messages.map(({ groupId }) => groupId);
  if ('among' in operation) return operation.among;
  // It may change each group.
  if (operation.kind === 'erase user') return ALL_GROUPS;
  return 'groupId' in operation ? [operation.groupId] : [];
}

const sharesGroup = (operation: Operation, step: Step) =>
  step.flatMap(groupsOf).some((groupId) => groupsOf(operation).includes(groupId));

/** An operation of no single user concerns all users. */
const sharesUser = (operation: Operation, step: Step) =>
  !('userId' in operation) || step.some((other) => 'userId' in other && other.userId === operation.userId);

function smallerSteps(step: Step): readonly Step[] {
  const fewer = step.length === 1 ? [] : step.map((_operation, index) => without(step, index));
  return [
    ...fewer,
    ...step.flatMap((operation, index) => smaller(operation).map((other) => step.with(index, other))),
  ];
}

const without = <T>(list: readonly T[], index: number): T[] => list.toSpliced(index, 1);

/** For a long list, the halves come first. */
function shorterParts<T>(list: readonly T[]): readonly (readonly T[])[] {
  if (list.length < 2) return [];
  const half = Math.ceil(list.length / 2);
  const halves = list.length > 3 ? [list.slice(half), list.slice(0, half)] : [];
  return [...halves, ...list.map((_item, index) => without(list, index))];
}

/** The object without one of its fields, for each; none if it has only one. */
const withoutOne = <T extends object>(fields: T): Partial<T>[] => {
  const names = Object.keys(fields);
  if (names.length < 2) return [];
  return names.map(
    (left) => Object.fromEntries(Object.entries(fields).filter(([name]) => name !== left)) as Partial<T>,
  );
};

const shorterLists = <T>(list: readonly T[]) =>
  list.length === 1 ? [] : list.map((_item, index) => without(list, index));

/** The operation without one of these options, for each that it has. */
const withoutOptions = <T extends Operation>(operation: T, ...options: (keyof T)[]): T[] =>
  options
    .filter((option) => operation[option] !== undefined)
    .map((option) => ({ ...operation, [option]: undefined }));

function smaller(operation: Operation): readonly Operation[] {
  switch (operation.kind) {
    case 'join':
      return withoutOptions(operation, 'joinedAfter');
    case 'add members':
      return shorterLists(operation.userIds).map((userIds) => ({ ...operation, userIds }));
    case 'record': {
      const { attributes } = operation;
      return [
        ...withoutOptions(operation, 'sentAt'),
        ...(attributes === NO_ATTRIBUTES ? [] : [{ ...operation, attributes: NO_ATTRIBUTES }]),
        ...ATTRIBUTES.filter((name) => attributes[name] !== undefined).map((name) => ({
          ...operation,
          attributes: { ...attributes, [name]: undefined },
        })),
      ];
    }
    case 'record several':
      return shorterLists(operation.messages).map((messages) => ({ ...operation, messages }));
    case 'facts':
      return shorterParts(operation.facts).map((facts) => factsOf(operation.groupId, facts));
    case 'mark':
      return [
        ...withoutOptions(operation, 'isPrivate', 'ifRevision'),
        ...(operation.by === 'user' ? [] : [{ ...operation, by: 'user' as const }]),
      ];
    case 'mark several':
      return shorterLists(operation.marks).map((marks) => ({ ...operation, marks }));
    case 'mark all':
      return withoutOptions(operation, 'parentId', 'unmutedOnly');
    case 'get status':
    case 'count receipts':
      return shorterLists(operation.messageIds).map((messageIds) => ({ ...operation, messageIds }));
    case 'list members':
    case 'list receipts':
    case 'inbox':
      return withoutOptions(operation, 'limit');
    case 'count badges':
      return shorterLists(operation.userIds).map((userIds) => ({ ...operation, userIds }));
    case 'set preferences':
      return withoutOne(given(operation.patch)).map((patch) => ({
        ...operation,
        patch: { ...NO_PATCH, ...patch },
      }));
    case 'set group': {
      const { parentId, receipts } = operation;
      return parentId === undefined || receipts === undefined
        ? []
        : withoutOptions(operation, 'parentId', 'receipts');
    }
    default:
      return [];
  }
}

const ATTRIBUTES = ['silent', 'mentions', 'advanceSender', 'remindAfterSeconds'] as const;
