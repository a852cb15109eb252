import type { Json } from '../support/running-stack.ts';
import { WATCHER } from './choices.ts';
import type { Attributes, Fact, GroupSettings, PreferencesPatch } from './model.ts';
import type { Sending } from './recording.ts';

/**
 * The operations of Tidemark. Ids of groups and users are short here; perform.ts adds a prefix to them. `Revision` is the
 * type of a mark's `ifRevision`.
 */
export type OperationWith<Revision> =
  | {
      readonly kind: 'join';
      readonly groupId: string;
      readonly userId: string;
      readonly joinedAfter: bigint | undefined;
    }
  | { readonly kind: 'add members'; readonly groupId: string; readonly userIds: readonly string[] }
  | { readonly kind: 'leave'; readonly groupId: string; readonly userId: string }
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
      readonly kind: 'mark all';
      readonly userId: string;
      readonly parentId: string | undefined;
      readonly unmutedOnly: boolean | undefined;
      /** The existing groups. */
      readonly among: readonly string[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'get watermark' | 'get preferences';
      readonly groupId: string;
      readonly userId: string;
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
      readonly kind: 'list receipts';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly state: 'read' | 'unread' | 'delivered' | undefined;
      readonly limit: number | undefined;
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
  | { readonly kind: 'get badge'; readonly userId: string; readonly by: Caller }
  | { readonly kind: 'count badges'; readonly userIds: readonly string[] }
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
      /** Turns the clock, so that reminders which are due then are sent, and reads whom they name. */
      readonly kind: 'turn clock';
      readonly advanceSeconds: number;
      /** The existing groups. */
      readonly among: readonly string[];
    }
  | {
      readonly kind: 'send malformed';
      readonly groupId: string;
      readonly userId: string;
      readonly mistake: Mistake;
    }
  | {
      /** Deletes the cache's data of all groups. */
      readonly kind: 'flush';
    }
  | {
      /** Deletes some of the group's data in the cache: `picks` has one entry for each key. */
      readonly kind: 'evict';
      readonly groupId: string;
      readonly picks: readonly Evicted[];
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
export type Evicted = 'nothing' | 'key' | 'fields';

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

/**
 * A request that is refused for every caller and group, and must change nothing. `{groupId}` in its path and its body stands
 * for the group.
 */
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
