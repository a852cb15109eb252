import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type GroupId, parseGroupId, parseUserId, type UserId } from '../domain/ids.ts';
import type { Membership, MembershipState, OwnRegister, Register } from '../domain/membership.ts';
import type { Message } from '../domain/message.ts';
import { type Position, parsePosition } from '../domain/position.ts';

export type Item = Record<string, AttributeValue>;

/**
 * The attribute that current members alone carry. With `groupId` it keys the sparse index of a group's members;
 * whoever left is named by FORMER_MEMBER instead.
 */
export const CURRENT_MEMBER = 'userId';
export const FORMER_MEMBER = 'formerUserId';

export type RegisterName = 'self' | 'public' | 'delivered';
export const REGISTER_NAMES: readonly RegisterName[] = ['self', 'public', 'delivered'];

/** The attribute that holds when a register last moved. */
export const timeOf = (name: RegisterName): string => `${name}At`;

const REVISION_DIGITS = 10;
const OWN_REGISTER = new RegExp(`^([0-9]{${REVISION_DIGITS}}):(.*)$`);

/** What the text of every own register of a revision begins with. */
export function revisionPrefix(revision: number): string {
  return `${String(revision).padStart(REVISION_DIGITS, '0')}:`;
}

/** A register as the ledger compares it: text whose order is the order of the register. */
export function registerText(name: RegisterName, register: OwnRegister | Register): string {
  return name === 'self'
    ? revisionPrefix((register as OwnRegister).revision) + register.position
    : register.position;
}

/** A membership without its key, for the ledger. A register that never moved has no time. */
export function membershipItem(userId: UserId, groupId: GroupId, membership: Membership): Item {
  const item: Item = {
    kind: { S: 'membership' },
    groupId: { S: groupId },
    [CURRENT_MEMBER]: { S: userId },
    generation: { N: String(membership.generation) },
    joinedAfter: { S: membership.joinedAfter },
  };
  for (const name of REGISTER_NAMES) Object.assign(item, registerItem(name, membership[name]));
  return item;
}

export function registerItem(name: RegisterName, register: Register): Item {
  const value = { [name]: { S: registerText(name, register) } };
  return register.at === null ? value : { ...value, [timeOf(name)]: { N: String(register.at) } };
}

/** What an item of the ledger says, and of whom. */
export type Fact =
  | {
      readonly kind: 'membership';
      readonly groupId: GroupId;
      readonly userId: UserId;
      readonly state: MembershipState;
    }
  | { readonly kind: 'message'; readonly groupId: GroupId; readonly message: Message }
  | { readonly kind: 'head'; readonly groupId: GroupId; readonly position: Position };

/** What an item is to this version of the service. Another version may keep items of kinds that this one does not know. */
export type Interpretation =
  | { readonly outcome: 'fact'; readonly fact: Fact }
  /** `kind` is null where the item has none. */
  | { readonly outcome: 'unknown'; readonly kind: string | null }
  /** Of a known kind, and not as this service writes it. */
  | { readonly outcome: 'broken'; readonly reason: string };

/** An item of the ledger that is no fact, where one is needed. Reading it again does not help. */
export class UnreadableItem extends Error {
  override readonly name = 'UnreadableItem';
}

/** Reads an item of any kind, from a reply or from the stream. Throws `UnreadableItem` where it is no fact. */
export function readItem(item: Item): Fact {
  const read = interpretItem(item);
  if (read.outcome === 'fact') return read.fact;
  throw read.outcome === 'broken' ? new UnreadableItem(read.reason) : corrupt(item, 'kind');
}

export function interpretItem(item: Item): Interpretation {
  const kind = item.kind?.S ?? null;
  if (kind !== 'membership' && kind !== 'message' && kind !== 'head') return { outcome: 'unknown', kind };
  try {
    return { outcome: 'fact', fact: factIn(item, kind) };
  } catch (error) {
    if (error instanceof UnreadableItem) return { outcome: 'broken', reason: error.message };
    throw error;
  }
}

function factIn(item: Item, kind: Fact['kind']): Fact {
  const groupId = parseGroupId(text(item, 'groupId'));
  if (!groupId) throw corrupt(item, 'groupId');
  switch (kind) {
    case 'membership': {
      const name = item[CURRENT_MEMBER] ? CURRENT_MEMBER : FORMER_MEMBER;
      const userId = parseUserId(text(item, name));
      if (!userId) throw corrupt(item, name);
      return { kind, groupId, userId, state: membershipState(item) };
    }
    case 'message': {
      const message = messageOf(item);
      // Only a deletion that came before the message leaves it without a sender.
      if (!message.senderId && !message.deleted) throw corrupt(item, 'senderId');
      return { kind, groupId, message };
    }
    case 'head':
      return { kind, groupId, position: positionIn(item, 'position') };
  }
}

export function membershipState(item: Item): MembershipState {
  const generation = number(item, 'generation');
  if (!item[CURRENT_MEMBER]) return { kind: 'departed', generation };
  const [, revision, ownPosition] = OWN_REGISTER.exec(text(item, 'self')) ?? [];
  const position = parsePosition(ownPosition);
  if (!position) throw corrupt(item, 'self');
  return {
    kind: 'member',
    generation,
    joinedAfter: positionIn(item, 'joinedAfter'),
    self: { revision: Number(revision), position, at: timeIn(item, 'self') },
    public: { position: positionIn(item, 'public'), at: timeIn(item, 'public') },
    delivered: { position: positionIn(item, 'delivered'), at: timeIn(item, 'delivered') },
  };
}

export function messageOf(item: Item): Message {
  return {
    position: positionIn(item, 'position'),
    senderId: item.senderId ? parseUserId(text(item, 'senderId')) : null,
    deleted: item.deletedAt !== undefined,
  };
}

function timeIn(item: Item, name: RegisterName): number | null {
  return item[timeOf(name)] ? number(item, timeOf(name)) : null;
}

function text(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined) throw corrupt(item, name);
  return value;
}

function positionIn(item: Item, name: string): Position {
  const position = parsePosition(text(item, name));
  if (!position) throw corrupt(item, name);
  return position;
}

function number(item: Item, name: string): number {
  const value = Number(item[name]?.N);
  if (!Number.isSafeInteger(value) || value < 0) throw corrupt(item, name);
  return value;
}

function corrupt(item: Item, name: string): UnreadableItem {
  return new UnreadableItem(`an item of the ledger has no valid ${name}: ${item.PK?.S} ${item.SK?.S}`);
}
