import type { Json } from '../support/running-stack.ts';
import { WATCHER } from './choices.ts';
import type { Attributes, Fact, GroupSettings, PreferencesPatch } from './model.ts';
import type { Sending } from './recording.ts';

/**
 * The operations of Tidemark. Ids of groups and users are short here; perform.ts adds a prefix to them. `Revision` is the
 * type of a mark's `ifRevision`.
 */
export type OperationWith<Revision> =
  | { readonly kind: 'leave'; readonly groupId: string; readonly userId: string }
  | {
      readonly kind: 'join';
      readonly groupId: string;
      readonly userId: string;
      readonly joinedAfter: bigint | undefined;
    }
  | { readonly kind: 'get watermark'; readonly groupId: string; readonly userId: string; readonly by: Caller }
  | { readonly kind: 'add members'; readonly groupId: string; readonly userIds: readonly string[] }
  | { readonly kind: 'list members'; readonly groupId: string; readonly limit: number | undefined }
  | {
      readonly kind: 'record';
      readonly groupId: string;
      readonly messageId: bigint;
      readonly senderId: string;
      /** A time, or how many seconds before the call. */
      readonly sentAt: string | number | undefined;
      readonly attributes: Attributes;
    }
  | { readonly kind: 'record several'; readonly messages: readonly SendingTo[] }
  | { readonly kind: 'delete'; readonly groupId: string; readonly messageId: bigint }
  | {
      readonly kind: 'mark';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly isPrivate: boolean | undefined;
      readonly ifRevision: Revision | undefined;
      readonly by: Caller;
    }
  | {
      readonly kind: 'mark unread' | 'mark delivered';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly by: Caller;
    }
  | {
      readonly kind: 'mark several';
      readonly userId: string;
      readonly marks: readonly EntryWith<Revision>[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'get status' | 'count receipts';
      readonly groupId: string;
      readonly userId: string;
      readonly messageIds: readonly bigint[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'inbox';
      readonly userId: string;
      readonly unreadOnly: boolean | undefined;
      readonly limit: number | undefined;
      readonly parentId: string | undefined;
      readonly archived: boolean | undefined;
      /** The existing groups. */
      readonly among: readonly string[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'mark all';
      readonly userId: string;
      readonly parentId: string | undefined;
      readonly unmutedOnly: boolean | undefined;
      /** The existing groups. */
      readonly among: readonly string[];
      readonly by: Caller;
    }
  | { readonly kind: 'get badge'; readonly userId: string; readonly by: Caller }
  | { readonly kind: 'count badges'; readonly userIds: readonly string[] }
  | {
      readonly kind: 'list receipts';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly state: 'read' | 'unread' | 'delivered' | undefined;
      readonly limit: number | undefined;
      readonly by: Caller;
    }
  | {
      readonly kind: 'send malformed';
      readonly groupId: string;
      readonly userId: string;
      readonly mistake: Mistake;
    }
  | {
      /** Puts facts on the bus, and reads the group after they have arrived. */
      readonly kind: 'facts';
      readonly groupId: string;
      /** In the order in which they are put on the bus. */
      readonly facts: readonly TimelineFact[];
      /** The member that reads the receipts. */
      readonly watcherId: string;
      /** The users whose watermarks are read. */
      readonly userIds: readonly string[];
      /** The messages whose receipts are read. */
      readonly messageIds: readonly bigint[];
    }
  | {
      readonly kind: 'get preferences';
      readonly groupId: string;
      readonly userId: string;
      readonly by: Caller;
    }
  | {
      readonly kind: 'set preferences';
      readonly groupId: string;
      readonly userId: string;
      readonly patch: PreferencesPatch;
      readonly by: Caller;
    }
  | { readonly kind: 'get group' | 'delete group'; readonly groupId: string }
  | ({ readonly kind: 'set group'; readonly groupId: string } & GroupSettings)
  | {
      readonly kind: 'export';
      readonly userId: string;
      /** The existing groups. */
      readonly among: readonly string[];
    }
  | {
      /** Erases a user, and waits until the erasure is over. */
      readonly kind: 'erase user';
      readonly userId: string;
    }
  | {
      /** Plays the schedule of reminders so far, and reads whom they name. */
      readonly kind: 'turn clock';
      readonly advanceSeconds: number;
      /** The existing groups. */
      readonly among: readonly string[];
    }
  | { readonly kind: 'flush' }
  | {
      /** Deletes some of the group's data in the cache: `picks` has one entry for each key. */
      readonly kind: 'evict';
      readonly groupId: string;
      readonly picks: readonly Pick[];
    };

/** A message of a call that records several. */
export interface SendingTo extends Sending {
  readonly groupId: string;
}

/** The caller: the user, or a back end for the user. */
export type Caller = 'user' | 'service';

export interface EntryWith<Revision> {
  readonly groupId: string;
  readonly messageId: bigint;
  readonly isPrivate: boolean | undefined;
  readonly ifRevision: Revision | undefined;
  readonly isDelivered: boolean | undefined;
}

/** What to delete of a key: nothing, the whole key, or some fields of a hash. */
export type Pick = 'nothing' | 'key' | 'fields';

/**
 * A fact of a group's timeline, which has rounds: the times of a round are after those of the rounds before. A fact of
 * an earlier round is only repeated.
 */
export type TimelineFact = Fact & { readonly round: number };

/** A number; the current revision; or the last revision of the membership before. */
export type IfRevision = number | 'current' | 'former';

/** An operation in a history, before the revisions are known. */
export type Operation = OperationWith<IfRevision>;
/** An operation as it is performed. */
export type OperationRequest = OperationWith<number>;
export type RequestOf<Kind extends OperationRequest['kind']> = Extract<OperationRequest, { kind: Kind }>;

/** A request that is refused for every caller and group, and must change nothing. */
export interface Mistake {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: Json;
  readonly by?: Caller;
}

/** One operation, or several at once. */
export type Step = readonly Operation[];
export type History = readonly Step[];

/** Puts these facts on the bus, and reads everything that they are about. */
export function factsOf(groupId: string, facts: readonly TimelineFact[]): OperationWith<never> {
  const userIds = facts.flatMap((fact) => {
    if (fact.kind === 'deleted') return [];
    return fact.kind === 'sent' ? [fact.senderId] : [fact.userId];
  });
  const messageIds = facts.flatMap((fact) => ('messageId' in fact ? [fact.messageId] : []));
  return {
    kind: 'facts',
    groupId,
    facts,
    watcherId: WATCHER,
    userIds: [...new Set([...userIds, WATCHER])],
    messageIds: [...new Set(messageIds)],
  };
}

/** The operation as one line of text. */
export function describeOperation(operation: OperationWith<IfRevision>): string {
  switch (operation.kind) {
    case 'join':
      return `${operation.userId} joins ${operation.groupId}${listed(operation)}`;
    case 'leave':
      return `${operation.userId} leaves ${operation.groupId}`;
    case 'get watermark':
      return `${operation.userId} reads the watermark in ${operation.groupId}${listed(operation)}`;
    case 'add members':
      return `${operation.userIds.join(', ')} join ${operation.groupId} in one call`;
    case 'list members':
      return `the members of ${operation.groupId}${listed(operation)}`;
    case 'record': {
      const { senderId, messageId, groupId, sentAt, attributes } = operation;
      return `${senderId} sends ${messageId} to ${groupId}${listed({ sentAt, ...attributes })}`;
    }
    case 'record several': {
      const messages = operation.messages.map(
        ({ groupId, messageId, senderId, attributes }) =>
          `${senderId} sends ${messageId} to ${groupId}${listed(attributes)}`,
      );
      return `in one call ${messages.join(', ')}`;
    }
    case 'delete':
      return `${operation.messageId} is deleted in ${operation.groupId}`;
    case 'mark':
      return `${operation.userId} marks ${operation.groupId} up to ${operation.messageId}${listed(operation)}`;
    case 'mark unread':
      return `${operation.userId} marks ${operation.groupId} unread from ${operation.messageId}${listed(operation)}`;
    case 'mark delivered':
      return `${operation.userId} marks ${operation.groupId} delivered up to ${operation.messageId}${listed(operation)}`;
    case 'mark several': {
      const marks = operation.marks.map((mark) => `${mark.groupId} up to ${mark.messageId}${listed(mark)}`);
      return `${operation.userId} marks at once ${marks.join(', ')}${listed(operation)}`;
    }
    case 'get status':
      return `${operation.userId} reads in ${operation.groupId} the status of ${operation.messageIds.join(', ')}${listed(operation)}`;
    case 'count receipts':
      return `${operation.userId} counts in ${operation.groupId} the receipts of ${operation.messageIds.join(', ')}${listed(operation)}`;
    case 'inbox':
      return `the inbox of ${operation.userId}${listed(operation)}`;
    case 'mark all':
      return `${operation.userId} marks all groups${listed(operation)}`;
    case 'get badge':
      return `the badge of ${operation.userId}${listed(operation)}`;
    case 'count badges':
      return `the badges of ${operation.userIds.join(', ')}`;
    case 'list receipts': {
      const { userId, groupId, messageId } = operation;
      return `${userId} lists in ${groupId} the receipts of ${messageId}${listed(operation)}`;
    }
    case 'send malformed':
      return `${operation.userId} sends a malformed request in ${operation.groupId}: ${operation.mistake.name}`;
    case 'facts':
      return `the chat puts facts of ${operation.groupId} on the bus: ${operation.facts.map(describeFact).join(', ')}`;
    case 'get preferences':
      return `${operation.userId} reads the preferences in ${operation.groupId}${listed(operation)}`;
    case 'set preferences':
      return `${operation.userId} sets preferences in ${operation.groupId}${listed({ ...operation.patch, by: operation.by })}`;
    case 'get group':
      return `the settings of ${operation.groupId}`;
    case 'delete group':
      return `the group ${operation.groupId} is deleted`;
    case 'set group':
      return `the chat sets ${operation.groupId}${listed(operation)}`;
    case 'export':
      return `all that is stored of ${operation.userId}`;
    case 'erase user':
      return `${operation.userId} is erased`;
    case 'turn clock':
      return `the clock is turned by ${operation.advanceSeconds} seconds`;
    case 'flush':
      return 'the cache is emptied';
    case 'evict':
      return `the cache loses some of ${operation.groupId}: ${operation.picks.join(', ')}`;
  }
}

function describeFact(fact: Fact): string {
  switch (fact.kind) {
    case 'sent':
      return `${fact.senderId} sends ${fact.messageId} at ${fact.at}${listed(fact.attributes)}`;
    case 'deleted':
      return `${fact.messageId} is deleted`;
    case 'joined':
      return `${fact.userId} joins at ${fact.at}${listed(fact)}`;
    case 'left':
      return `${fact.userId} leaves at ${fact.at}`;
  }
}

const OPTIONS = [
  'joinedAfter',
  'isPrivate',
  'ifRevision',
  'isDelivered',
  'by',
  'state',
  'unreadOnly',
  'limit',
  'sentAt',
  'silent',
  'mentions',
  'advanceSender',
  'remindAfterSeconds',
  'notify',
  'mutedUntil',
  'hideReceipts',
  'archive',
  'parentId',
  'archived',
  'unmutedOnly',
  'receipts',
] as const;

function listed(options: { readonly [name in (typeof OPTIONS)[number]]?: unknown }): string {
  const shown = OPTIONS.filter((name) => options[name] !== undefined && options[name] !== 'user');
  return shown.length === 0 ? '' : ` (${shown.map((name) => `${name}: ${options[name]}`).join(', ')})`;
}
