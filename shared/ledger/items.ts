import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type Belonging, type Joining, NO_BELONGING } from '../domain/belonging.ts';
import type { Erasure } from '../domain/erasure.ts';
import { type GroupSettings, type Head, NO_HEAD, RECEIPTS_POLICIES } from '../domain/head.ts';
import { type GroupId, type Member, parseGroupId, parseUserId, type UserId } from '../domain/ids.ts';
import {
  type Membership,
  type MembershipState,
  REGISTER_NAMES,
  type RegisterName,
} from '../domain/membership.ts';
import type { Mentions, Message } from '../domain/message.ts';
import { type Position, parsePosition, START } from '../domain/position.ts';
import {
  ARCHIVE_MODES,
  LAST_TIME_MS,
  NO_PREFERENCES,
  NOTIFY_LEVELS,
  type Preferences,
  type PreferencesPatch,
} from '../domain/preferences.ts';

export type Item = Record<string, AttributeValue>;

/**
 * Only current members have this attribute. Together with `groupId` it is the key of the sparse index of a group's
 * members. A former member has FORMER_MEMBER instead.
 */
export const CURRENT_MEMBER = 'userId';
export const FORMER_MEMBER = 'formerUserId';

/** The attribute with the time when a register last moved. */
export const timeOf = (name: RegisterName): string => `${name}At`;

/** The largest time in nine base-36 digits, which is how the cache writes it: in the year 5188. */
const MAX_TIME = 36 ** 9 - 1;

const REVISION_DIGITS = 10;
const OWN_REGISTER = new RegExp(`^([0-9]{${REVISION_DIGITS}}):(.*)$`);

/** The prefix of an own register's text. `count` is the number of earlier revisions in the same membership. */
export function revisionPrefix(count: number): string {
  return `${String(count).padStart(REVISION_DIGITS, '0')}:`;
}

/**
 * A register as text, in the order that the ledger compares. The revision counts from the first one of the
 * membership, so that a sender's own view can be moved without a read in a later membership too.
 */
export function registerText({ firstRevision, ...membership }: Membership, name: RegisterName): string {
  const { position } = membership[name];
  return name === 'self' ? revisionPrefix(membership.self.revision - firstRevision) + position : position;
}

/** The item of a membership, without its key. A register that never moved has no time. */
export function membershipItem({ groupId, userId }: Member, membership: Membership): Item {
  const item: Item = {
    kind: { S: 'membership' },
    groupId: { S: groupId },
    [CURRENT_MEMBER]: { S: userId },
    generation: { N: String(membership.generation) },
    joinedAfter: { S: membership.joinedAfter },
  };
  if (membership.firstRevision > 0) item.firstRevision = { N: String(membership.firstRevision) };
  for (const name of REGISTER_NAMES) Object.assign(item, registerItem(membership, name));
  return { ...item, ...preferencesItem(membership.preferences) };
}

/** The attributes of a register: its text, and its time if it has moved. */
export function registerItem(membership: Membership, name: RegisterName): Item {
  const { at } = membership[name];
  const value = { [name]: { S: registerText(membership, name) } };
  return at === null ? value : { ...value, [timeOf(name)]: { N: String(at) } };
}

/** The attributes of the values of the preferences. An attribute that is absent has the value of `NO_PREFERENCES`. */
const PREFERENCE_ATTRIBUTES = {
  notify: 'notify',
  mutedUntil: 'mutedUntil',
  hideReceipts: 'hidden',
  archive: 'archive',
  archivedAt: 'archivedAt',
} as const satisfies Readonly<Record<keyof PreferencesPatch, string>>;

const PREFERENCE_FIELDS = Object.keys(PREFERENCE_ATTRIBUTES) as readonly (keyof PreferencesPatch)[];

/** The attribute of a member whose receipts are hidden. */
export const HIDDEN = PREFERENCE_ATTRIBUTES.hideReceipts;

export const ARCHIVED_AT = PREFERENCE_ATTRIBUTES.archivedAt;

/** The number of changes of the preferences, and the time of the last one. */
export const PREFERENCES_REVISION = 'preferencesRevision';
export const PREFERENCES_AT = 'preferencesAt';

export const PREFERENCES_NAMES: readonly string[] = [
  ...Object.values(PREFERENCE_ATTRIBUTES),
  PREFERENCES_REVISION,
  PREFERENCES_AT,
];

/** All attributes of the preferences; none if the member never changed them. */
function preferencesItem({ revision, at, ...values }: Preferences): Item {
  if (at === null) return {};
  const stored = patchAttributes(values).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
  return {
    ...Object.fromEntries(stored),
    [PREFERENCES_REVISION]: { N: String(revision) },
    [PREFERENCES_AT]: { N: String(at) },
  };
}

/** The attributes that a patch sets; null for one that it removes. */
export function patchAttributes(patch: PreferencesPatch): [name: string, value: AttributeValue | null][] {
  return PREFERENCE_FIELDS.flatMap((field) => {
    const value = patch[field];
    if (value === undefined) return [];
    return [[PREFERENCE_ATTRIBUTES[field], value === NO_PREFERENCES[field] ? null : attributeOf(value)]];
  });
}

function attributeOf(value: boolean | number | string | null): AttributeValue | null {
  if (typeof value === 'boolean') return { BOOL: value };
  if (typeof value === 'number') return { N: String(value) };
  return value === null ? null : { S: value };
}

function preferencesIn(item: Item): Preferences {
  const revision = item[PREFERENCES_REVISION] ? number(item, PREFERENCES_REVISION) : 0;
  if (revision === 0 && !item[HIDDEN]) return NO_PREFERENCES;
  const mutedUntil = item.mutedUntil ? number(item, 'mutedUntil') : null;
  if (mutedUntil !== null && mutedUntil > LAST_TIME_MS) throw corrupt(item, 'mutedUntil');
  return {
    revision,
    at: time(item, PREFERENCES_AT),
    notify: oneOf(NOTIFY_LEVELS, item, 'notify') ?? NO_PREFERENCES.notify,
    mutedUntil,
    hideReceipts: item[HIDDEN] !== undefined,
    archive: oneOf(ARCHIVE_MODES, item, 'archive') ?? NO_PREFERENCES.archive,
    archivedAt: item.archivedAt ? positionIn(item, 'archivedAt') : START,
  };
}

/** One of several texts; null if the attribute is absent. */
function oneOf<T extends string>(known: readonly T[], item: Item, name: string): T | null {
  if (!item[name]) return null;
  const found = known.find((one) => one === item[name]?.S);
  if (!found) throw corrupt(item, name);
  return found;
}

/**
 * The attributes of the history of joinings, departures and messages sent. Each is stored only if the membership does not
 * imply it.
 */
export const HISTORY_NAMES = ['leftAt', 'joinings', 'lastRevision', 'sentHidden'] as const;

export function historyItem({ state, leftAt, joinings, lastRevision, sentHidden }: Belonging): Item {
  const item: Item = {};
  if (leftAt !== null) item.leftAt = { N: String(leftAt) };
  if (sentHidden !== null) item.sentHidden = { S: sentHidden };
  if (state?.kind !== 'member') {
    if (lastRevision !== null) item.lastRevision = { N: String(lastRevision) };
    return item;
  }
  const [only, ...others] = joinings;
  const isPlain =
    others.length === 0 &&
    only?.at === state.generation &&
    only.receivedAt === only.at &&
    only.joinedAfter === state.joinedAfter;
  if (!isPlain) item.joinings = { L: joinings.map((joining) => ({ S: joiningText(joining) })) };
  return item;
}

/** The belonging in an item, with its history. An item without history attributes stands for one joining. */
export function belongingOf(item: Item): Belonging {
  const state = membershipState(item);
  const leftAt = item.leftAt ? number(item, 'leftAt') : null;
  if (state.kind === 'departed') {
    const lastRevision = lastRevisionIn(item);
    return { ...NO_BELONGING, state, leftAt: leftAt ?? state.generation, lastRevision };
  }
  const { generation, joinedAfter, firstRevision } = state;
  const joinings = item.joinings?.L?.map(({ S = '' }) => joiningIn(item, S)) ?? [
    { at: generation, joinedAfter, receivedAt: generation },
  ];
  const sentHidden = item.sentHidden ? positionIn(item, 'sentHidden') : null;
  return { state, leftAt, joinings, lastRevision: firstRevision > 0 ? firstRevision - 1 : null, sentHidden };
}

function joiningText({ at, joinedAfter, receivedAt, isGiven }: Joining): string {
  return `${at}:${joinedAfter}:${receivedAt}${isGiven ? ':given' : ''}`;
}

function joiningIn(item: Item, joiningText: string): Joining {
  const [at, position, receivedAt, given] = joiningText.split(':');
  const joinedAfter = parsePosition(position);
  const times = { at: Number(at), receivedAt: Number(receivedAt) };
  if (!joinedAfter || !Number.isSafeInteger(times.at) || !Number.isSafeInteger(times.receivedAt)) {
    throw corrupt(item, 'joinings');
  }
  return { ...times, joinedAfter, ...(given === 'given' && { isGiven: true }) };
}

/** A departure leaves the own view of the ended membership in the item, so that leaving needs no read before it. */
function lastRevisionIn(item: Item): number | null {
  const known = item.lastRevision ? [number(item, 'lastRevision')] : [];
  if (item.self) known.push(firstRevisionIn(item) + ownRegisterIn(item).count);
  return known.length > 0 ? Math.max(...known) : null;
}

/** The number of earlier revisions in the membership, and the position of the own view. */
function ownRegisterIn(item: Item): { readonly count: number; readonly position: Position } {
  const [, count, ownPosition] = OWN_REGISTER.exec(text(item, 'self')) ?? [];
  const position = parsePosition(ownPosition);
  if (!position) throw corrupt(item, 'self');
  return { count: Number(count), position };
}

function firstRevisionIn(item: Item): number {
  return item.firstRevision ? number(item, 'firstRevision') : 0;
}

/**
 * How long what has ended is kept, a departure or the epoch of a deleted group: longer than any retry, queue or stream can delay
 * a write.
 */
export const ENDED_SECONDS = 30 * 86_400;

export function expiryOfEnded(writtenAtMs: number): AttributeValue.NMember {
  return { N: String(Math.floor(writtenAtMs / 1000) + ENDED_SECONDS) };
}

/** The content of an item of the ledger. */
export type StoredItem =
  | {
      readonly kind: 'membership';
      readonly groupId: GroupId;
      readonly userId: UserId;
      readonly state: MembershipState;
    }
  | { readonly kind: 'message'; readonly groupId: GroupId; readonly message: Message }
  | { readonly kind: 'erasure'; readonly erasure: Erasure }
  | { readonly kind: 'head'; readonly groupId: GroupId; readonly head: Head };

/** How this version reads an item. Another version may store items of kinds that this one does not know. */
export type Interpretation =
  | { readonly outcome: 'stored'; readonly stored: StoredItem }
  /** `kind` is null if the item has none. */
  | { readonly outcome: 'unknown'; readonly kind: string | null }
  /** The kind is known, but the item is not as this service writes it. */
  | { readonly outcome: 'broken'; readonly reason: string };

/** An item of the ledger cannot be read, and the caller needs its content. Reading it again does not help. */
export class UnreadableItem extends Error {
  override readonly name = 'UnreadableItem';
}

/** Reads an item of any kind, from a reply or from the stream. Throws `UnreadableItem` if it cannot be read. */
export function readItem(item: Item): StoredItem {
  const read = interpretItem(item);
  if (read.outcome === 'stored') return read.stored;
  throw read.outcome === 'broken' ? new UnreadableItem(read.reason) : corrupt(item, 'kind');
}

export function interpretItem(item: Item): Interpretation {
  const kind = item.kind?.S ?? null;
  if (!isKind(kind)) return { outcome: 'unknown', kind };
  try {
    return { outcome: 'stored', stored: storedItemIn(item, kind) };
  } catch (error) {
    if (error instanceof UnreadableItem) return { outcome: 'broken', reason: error.message };
    throw error;
  }
}

const KINDS: readonly StoredItem['kind'][] = ['membership', 'message', 'head', 'erasure'];

function isKind(kind: string | null): kind is StoredItem['kind'] {
  return KINDS.some((one) => one === kind);
}

function storedItemIn(item: Item, kind: StoredItem['kind']): StoredItem {
  if (kind === 'erasure') return { kind, erasure: erasureOf(item) };
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
      // Only a deletion that arrived before its message has no sender.
      if (!message.senderId && !message.deleted) throw corrupt(item, 'senderId');
      return { kind, groupId, message };
    }
    case 'head':
      return { kind, groupId, head: headOf(item) };
  }
}

function erasureOf(item: Item): Erasure {
  if (item.groupId) {
    const groupId = parseGroupId(text(item, 'groupId'));
    if (!groupId) throw corrupt(item, 'groupId');
    return { subject: { kind: 'group', groupId }, begunAtMs: time(item, 'begunAt') };
  }
  const userId = parseUserId(text(item, 'userId'));
  if (!userId) throw corrupt(item, 'userId');
  return { subject: { kind: 'user', userId }, begunAtMs: time(item, 'begunAt') };
}

export function membershipState(item: Item): MembershipState {
  const generation = time(item, 'generation');
  if (!item[CURRENT_MEMBER]) return { kind: 'departed', generation };
  const firstRevision = firstRevisionIn(item);
  const { count, position } = ownRegisterIn(item);
  return {
    kind: 'member',
    generation,
    joinedAfter: positionIn(item, 'joinedAfter'),
    firstRevision,
    self: { revision: firstRevision + count, position, at: timeIn(item, 'self') },
    public: { position: positionIn(item, 'public'), at: timeIn(item, 'public') },
    delivered: { position: positionIn(item, 'delivered'), at: timeIn(item, 'delivered') },
    preferences: preferencesIn(item),
  };
}

export function messageOf(item: Item): Message {
  return {
    position: positionIn(item, 'position'),
    senderId: item.senderId ? parseUserId(text(item, 'senderId')) : null,
    deleted: item.deletedAt !== undefined,
    recordedAt: item.recordedAt ? time(item, 'recordedAt') : 0,
    isSilent: item.silent?.BOOL === true,
    mentions: mentionsIn(item),
  };
}

/** What a message says of itself beside its sender. Each attribute is stored only if it differs from the default. */
export function messageDetails({ isSilent, mentions }: Pick<Message, 'isSilent' | 'mentions'>): Item {
  const item: Item = {};
  if (isSilent) item.silent = { BOOL: true };
  if (mentions === 'all') item.mentions = { S: mentions };
  else if (mentions.length > 0) item.mentions = { SS: [...mentions] };
  return item;
}

function mentionsIn(item: Item): Mentions {
  const { mentions } = item;
  if (mentions === undefined) return [];
  if (mentions.S === 'all') return mentions.S;
  const userIds = mentions.SS?.map(parseUserId) ?? [null];
  if (!userIds.every((userId) => userId !== null)) throw corrupt(item, 'mentions');
  return userIds;
}

/**
 * Items of groups without silent messages have no `loud`, items of groups without settings have none of them, and items of
 * groups that were never deleted have no `epoch`.
 */
export function headOf(item: Item): Head {
  const position = positionIn(item, 'position');
  const loud = item.loud ? positionIn(item, 'loud') : position;
  if (loud > position) throw corrupt(item, 'loud');
  const epoch = item.epoch ? time(item, 'epoch') : 0;
  return { epoch, position, loud, settings: settingsIn(item) };
}

function settingsIn(item: Item): GroupSettings {
  const parentId = item.parentId ? parseGroupId(text(item, 'parentId')) : null;
  if (item.parentId && !parentId) throw corrupt(item, 'parentId');
  const policy = item.receipts ? text(item, 'receipts') : NO_HEAD.settings.receipts;
  const receipts = RECEIPTS_POLICIES.find((one) => one === policy);
  if (!receipts) throw corrupt(item, 'receipts');
  const isSet = item.parentId !== undefined || item.receipts !== undefined;
  const revision = item.settings ? number(item, 'settings') : 0;
  // Settings without a revision would lose every merge.
  if (isSet && revision === 0) throw corrupt(item, 'settings');
  return { revision, parentId, receipts };
}

function timeIn(item: Item, name: RegisterName): number | null {
  return item[timeOf(name)] ? time(item, timeOf(name)) : null;
}

function time(item: Item, name: string): number {
  const value = number(item, name);
  if (value > MAX_TIME) throw corrupt(item, name);
  return value;
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

/** The error for an attribute that is missing, or not as this service writes it. */
export function corrupt(item: Item, name: string): UnreadableItem {
  return new UnreadableItem(`an item of the ledger has no valid ${name}: ${item.PK?.S} ${item.SK?.S}`);
}
