import type { Badge, InboxGroup, MessageReceipts, Preferences, Unread } from './answers.ts';
import { countBadge, muteLeftMs } from './badge.ts';
import { checkMessageId, compareIds, isAbove, laterOf } from './message-id.ts';

/** Where the user's own view of a group stands, and what the user wants of the group. */
export type View = Readonly<InboxGroup>;

/** How many have read and received a message. */
export interface Receipt {
  readonly messageId: string;
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
  /** False where the audience is empty. */
  readonly readByAll: boolean;
}

/** `idle` without listeners, `live` once the service has sent the current state, and `connecting` between. */
export type Connection = 'idle' | 'connecting' | 'live';

/** What is known. It is immutable: an equal part of a later snapshot is the same object. */
export interface Snapshot {
  readonly connection: Connection;
  /** The own views by group. */
  readonly views: ReadonlyMap<string, View>;
  /** The receipts of the messages that listeners asked for, by group and message. */
  readonly receipts: ReadonlyMap<string, ReadonlyMap<string, Receipt>>;
  readonly badge: Readonly<Badge>;
}

/** A view as the service sends it. The answer to a mark has the own view alone. */
type GivenView = Pick<View, 'groupId' | 'messageId' | 'revision' | 'unread'> & Partial<View>;

/** The view of a group until the service sends one: until then only the chat, or the answer to a mark, has named the group. */
const NO_VIEW: View = {
  ...{ groupId: '', messageId: null, revision: 0, head: null },
  unread: { count: 0, mentions: 0, firstId: null, exact: true },
  ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
  preferencesRevision: 0,
};

interface Group {
  /** Whether the view is to be asked for. */
  isStale: boolean;
  /** As the service sent it last. */
  view: View;
  /** When the view was read, in milliseconds; -1 until it is known. */
  asOf: number;
  /** Messages of others that the chat brought, and that are not read. Those above the view's head are added to its count. */
  readonly noted: Map<string, Noted>;
  /** The newest message that the chat brought and that is not silent. */
  loud: string | null;
  /** What the user has seen since last marking unread. Up to here, a message that the chat brings again does not become unread. */
  seen: string | null;
}

interface Noted {
  /** True until the view is asked for. */
  isNew: boolean;
  readonly isMention: boolean;
}

/** What the chat knows of a message. */
export interface NotedMessage {
  readonly senderId: string;
  /** A silent message is never unread. */
  readonly silent?: boolean | undefined;
  /** The users whom it mentions. */
  readonly mentions?: readonly string[] | 'all' | undefined;
}

interface WatchedReceipt {
  watchers: number;
  /** Whether it is to be asked for: it is not known, or may have changed while there was no connection. */
  isStale: boolean;
  /** Null until the service has sent it, and for a message that the service does not know. */
  receipt: Receipt | null;
  asOf: number;
}

/** The longest time that a timer takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export type Store = ReturnType<typeof createStore>;

/**
 * The state, merged from frames and answers in any order. A view is replaced by one that is later by (revision, position,
 * revision of the preferences, asOf), a receipt by one with a larger `asOf`. So repeated, reordered and lost frames do no harm.
 *
 * A view counts the messages up to its head that were recorded when it was read. Messages may be recorded out of order:
 *
 *     service    records 13    reads the view    records 12                 reads the view
 *     client                                     gets head 13, 1 unread;    asks again, gets head 13, 2 unread
 *                                                gets 12 from the chat
 *
 * The client cannot know whether the first view counts 12. It asks again, unless 12 is read by then. A view that was asked for
 * after the chat brought a message counts it, because a chat records a message before it delivers it.
 *
 * @param changed called when the snapshot has changed
 * @param askSoon called after a change, if a view is to be asked for
 */
export function createStore(userId: string, changed: () => void, askSoon: () => void) {
  const groups = new Map<string, Group>();
  const watched = new Map<string, Map<string, WatchedReceipt>>();
  let connection: Connection = 'idle';
  let isUsed = false;
  let isComplete = false;
  let latest = 0;
  let muteTimer: ReturnType<typeof setTimeout> | undefined;
  let snapshot: Snapshot = {
    connection,
    views: new Map(),
    receipts: new Map(),
    badge: countBadge([], false),
  };

  function groupOf(groupId: string): Group {
    const group: Group = groups.get(groupId) ?? {
      ...{ isStale: true, view: { ...NO_VIEW, groupId }, asOf: -1 },
      ...{ noted: new Map(), loud: null, seen: null },
    };
    groups.set(groupId, group);
    return group;
  }

  /** Must be called after each change. */
  function publish(asOf = 0): void {
    latest = Math.max(latest, asOf);
    const views = new Map<string, View>();
    const all: View[] = [];
    for (const [groupId, group] of groups) {
      const { view, noted, seen } = group;
      for (const [id, { isNew }] of noted) {
        if (!isAbove(id, view.messageId) || !isAbove(id, seen)) noted.delete(id);
        else if (isNew && group.asOf >= 0 && !isAbove(id, view.head)) group.isStale = true;
      }
      // After a connect, everything is asked for.
      if (group.isStale && connection !== 'connecting') askSoon();
      const shown = shownView(group);
      all.push(shown);
      if (group.asOf >= 0) views.set(groupId, shown);
    }
    clearTimeout(muteTimer);
    // The badge rises when the next mute ends, though nothing arrives.
    const mutesMs = all.map(muteLeftMs).filter((ms) => ms > 0);
    if (isUsed && mutesMs[0]) muteTimer = setTimeout(publish, Math.min(LONGEST_TIMER_MS, ...mutesMs));
    const next: Snapshot = {
      connection,
      views: kept(snapshot.views, views),
      receipts: kept(snapshot.receipts, new Map([...watched].map(shownReceipts))),
      badge: kept(snapshot.badge, countBadge(all, isComplete)),
    };
    if (Object.entries(next).every(([name, value]) => snapshot[name as keyof Snapshot] === value)) return;
    snapshot = next;
    changed();
  }

  /** Merges views that were read at one time. `complete` says whether there is no other group with something unread. */
  function mergeViews(views: readonly GivenView[], asOf: number, complete?: boolean): void {
    for (const given of views) {
      const group = groupOf(given.groupId);
      const known = group.view;
      const shown = shownView(group);
      const view: View = {
        ...shown,
        // The answer to a mark has no head. It may count any of the noted messages, and is assumed to count all of them.
        head: laterOf(shown.head, given.messageId),
        // Frames and answers have other fields too.
        ...Object.fromEntries(Object.entries(given).filter(([name]) => name in NO_VIEW)),
      };
      // The answer to a mark lacks the preferences: they are still to be asked for.
      if (given.notify) group.isStale = false;
      if (!isLater(view, asOf, known, group.asOf)) continue;
      const { messageId, head, unread, parentId, revision } = view;
      const isNewRevision = group.asOf >= 0 && revision > known.revision;
      if (isNewRevision) group.seen = null;
      // A user who joins again has a new revision, and no preferences.
      const isOlderChoice = view.preferencesRevision < known.preferencesRevision && !isNewRevision;
      group.view = isOlderChoice ? { ...known, messageId, head, unread, parentId } : view;
      group.asOf = asOf;
    }
    isComplete = complete ?? isComplete;
    publish(asOf);
  }

  return {
    getSnapshot: () => snapshot,

    /** The groups whose views are to be asked for. The caller must ask for them now, or for everything after the next connect. */
    takeStaleGroups(): readonly string[] {
      const stale = staleOf(groups);
      for (const group of stale.map(groupOf)) {
        group.isStale = false;
        for (const one of group.noted.values()) one.isNew = false;
      }
      return stale;
    },

    /** The messages whose receipts are to be asked for, by group. */
    staleReceipts: () => [...watched].map(([groupId, messages]) => [groupId, staleOf(messages)] as const),

    groupIds: (): readonly string[] => [...groups.keys()],

    /** What is known of these groups may have changed. Without names: of all groups, since there was no connection. */
    expire(groupIds: readonly string[] = [...groups.keys(), ...watched.keys()]): void {
      for (const groupId of groupIds) {
        for (const one of [groupOf(groupId), ...(watched.get(groupId)?.values() ?? [])]) one.isStale = true;
      }
    },

    /**
     * The `asOf` of an answer to a request that is sent now: answers over HTTP have none. What it holds was read later than
     * every frame so far. Whether it was read later than a frame that comes before it is not known: then the frame counts.
     */
    stamp(): number {
      latest += 2 ** -10;
      return latest;
    },

    /** `isUsedNow`: there are listeners. */
    setConnection(to: Connection, isUsedNow = to !== 'idle'): void {
      connection = to;
      isUsed = isUsedNow;
      publish();
    },

    mergeViews,

    /** The user was in none of these groups at this time. */
    removeViews(groupIds: readonly string[], asOf: number): void {
      for (const groupId of groupIds) if ((groups.get(groupId)?.asOf ?? 0) <= asOf) groups.delete(groupId);
      publish();
    },

    /** From now on, the view of the group is kept, and asked for. */
    add: groupOf as (groupId: string) => void,

    /** Merges the answer to a change of preferences. A view that is not known is still to be asked for, with its own. */
    mergePreferences({ revision, ...values }: Preferences): void {
      const group = groupOf(values.groupId);
      const { view, asOf, isStale } = group;
      if (asOf < 0) return;
      // The answer already knows whether an earlier message has taken the group out of the archive.
      if (revision > view.preferencesRevision) group.loud = null;
      mergeViews([{ ...view, ...values, preferencesRevision: revision }], asOf);
      group.isStale ||= isStale;
    },

    note(groupId: string, messageId: string, { senderId, silent, mentions }: NotedMessage): void {
      checkMessageId(messageId);
      const group = groupOf(groupId);
      if (!silent) {
        group.loud = laterOf(group.loud, messageId);
        const isMention = mentions === 'all' || !!mentions?.includes(userId);
        if (senderId !== userId && !group.noted.has(messageId)) {
          group.noted.set(messageId, { isNew: true, isMention });
        }
      }
      publish();
    },

    /** The user has seen messages up to this one. */
    see(groupId: string, messageId: string): void {
      const group = groupOf(groupId);
      group.seen = laterOf(group.seen, messageId);
      publish();
    },

    /** Keeps the receipts of a message until the function that this returns is called. */
    watchReceipt(groupId: string, messageId: string): () => void {
      const messages = watched.get(groupId) ?? new Map<string, WatchedReceipt>();
      watched.set(groupId, messages);
      const known = messages.get(messageId) ?? { receipt: null, asOf: -1, watchers: 0, isStale: true };
      messages.set(messageId, known);
      known.watchers += 1;
      return () => {
        known.watchers -= 1;
        if (known.watchers === 0) messages.delete(messageId);
        if (messages.size === 0) watched.delete(groupId);
        publish();
      };
    },

    /** Merges the receipts of messages that are watched. Those of others are not kept: nothing would keep them up to date. */
    mergeReceipts(
      groupId: string,
      receipts: readonly (Omit<Receipt, 'readByAll'> | MessageReceipts)[],
      asOf: number,
    ): void {
      for (const given of receipts) {
        const known = watched.get(groupId)?.get(given.messageId);
        if (!known) continue;
        known.isStale = false;
        if (known.asOf > asOf) continue;
        known.asOf = asOf;
        known.receipt = null;
        if (!('audience' in given)) continue;
        const { messageId, audience, readCount, deliveredCount } = given;
        const readByAll = audience > 0 && readCount === audience;
        known.receipt = { messageId, audience, readCount, deliveredCount, readByAll };
      }
      publish(asOf);
    },
  };
}

function staleOf(all: ReadonlyMap<string, { readonly isStale: boolean }>): readonly string[] {
  return [...all].filter(([, { isStale }]) => isStale).map(([id]) => id);
}

function isLater(a: View, aAsOf: number, b: View, bAsOf: number): boolean {
  const order =
    a.revision - b.revision ||
    compareIds(a.messageId, b.messageId) ||
    a.preferencesRevision - b.preferencesRevision ||
    aAsOf - bAsOf ||
    compareIds(a.head, b.head);
  return order > 0;
}

function unreadOf({ view, noted }: Group): Unread {
  let { count, mentions, firstId, exact } = view.unread;
  if (!exact) return view.unread;
  for (const [id, { isMention }] of noted) {
    if (!isAbove(id, view.head)) continue;
    if (count === 0 || isAbove(firstId, id)) firstId = id;
    count += 1;
    if (isMention) mentions += 1;
  }
  return { count, mentions, firstId, exact };
}

/** The view with the messages that the chat brought since. */
function shownView(group: Group): View {
  const { archive, archived, head } = group.view;
  return {
    ...group.view,
    head: [...group.noted.keys()].reduce(laterOf, head),
    unread: unreadOf(group),
    archived: archived && !(archive === 'untilNew' && isAbove(group.loud, head)),
  };
}

function shownReceipts([groupId, messages]: [string, ReadonlyMap<string, WatchedReceipt>]) {
  const known = new Map<string, Receipt>();
  for (const [id, { receipt }] of messages) if (receipt) known.set(id, receipt);
  return [groupId, known] as const;
}

/** `after`, but `before` itself where it is equal, and so with each part: what has not changed stays the same object. */
function kept<T>(before: T | undefined, after: T): T {
  if (!(after instanceof Map))
    return before && JSON.stringify(before) === JSON.stringify(after) ? before : after;
  const old = (before ?? new Map()) as T & ReadonlyMap<unknown, unknown>;
  let isSame = old.size === after.size;
  for (const [key, value] of after) {
    after.set(key, kept(old.get(key), value));
    isSame &&= old.get(key) === after.get(key);
  }
  return isSame ? old : after;
}
