import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type GroupId, parseGroupId, parseUserId, type UserId } from '../domain/ids.ts';
import type { Membership, MembershipState, OwnRegister, Register } from '../domain/membership.ts';
import type { Message } from '../domain/message.ts';
import { type Position, storedPosition } from '../domain/position.ts';

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

/** Reads an item of any kind, from a reply or from the stream. Throws where it is none of ours. */
export function readItem(item: Item): Fact {
  const groupId = parseGroupId(text(item, 'groupId'));
  const kind = text(item, 'kind');
  if (groupId && kind === 'membership') {
    const userId = parseUserId(item[CURRENT_MEMBER]?.S ?? text(item, FORMER_MEMBER));
    if (userId) return { kind, groupId, userId, state: membershipState(item) };
  }
  if (groupId && kind === 'message') return { kind, groupId, message: messageOf(item) };
  if (groupId && kind === 'head') return { kind, groupId, position: storedPosition(text(item, 'position')) };
  throw corrupt(item, 'kind');
}

export function membershipState(item: Item): MembershipState {
  const generation = number(item, 'generation');
  if (!item[CURRENT_MEMBER]) return { kind: 'departed', generation };
  const self = text(item, 'self');
  return {
    kind: 'member',
    generation,
    joinedAfter: storedPosition(text(item, 'joinedAfter')),
    self: {
      revision: Number(self.slice(0, REVISION_DIGITS)),
      position: storedPosition(self.slice(REVISION_DIGITS + 1)),
      at: timeIn(item, 'self'),
    },
    public: { position: storedPosition(text(item, 'public')), at: timeIn(item, 'public') },
    delivered: { position: storedPosition(text(item, 'delivered')), at: timeIn(item, 'delivered') },
  };
}

export function messageOf(item: Item): Message {
  return {
    position: storedPosition(text(item, 'position')),
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

function number(item: Item, name: string): number {
  const value = Number(item[name]?.N);
  if (!Number.isFinite(value)) throw corrupt(item, name);
  return value;
}

function corrupt(item: Item, name: string): Error {
  return new Error(`an item of the ledger has no valid ${name}: ${item.PK?.S} ${item.SK?.S}`);
}
