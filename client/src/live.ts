import type { InboxGroup } from './answers.ts';
import type { UserCalls } from './api.ts';
import { pauseAfter } from './backoff.ts';
import { type ConnectionOptions, createConnection } from './connection.ts';
import { isTemporary } from './error.ts';
import type { ServerFrame } from './frames.ts';
import type { Store } from './store.ts';

/** What is asked for within this time is asked for together. */
const GATHER_MS = 20;
/**
 * A view that may not count a message is asked for after the pause of this many failures, at most 4 s: by then the message is
 * often read, and nothing need be asked.
 */
const RECHECK = 2;
/** A sync names at most this many groups, and a call for receipts this many messages. */
const MOST_ENTRIES = 100;
/** A frame has the receipts of at most this many messages, the newest of those that were read or delivered. */
const MOST_PUSHED = 20;
const INBOX_LIMIT = 200;

interface LiveParts extends Omit<ConnectionOptions, 'url' | 'onFrame' | 'onOpen' | 'onLost'> {
  readonly api: UserCalls;
  readonly store: Store;
  readonly wsUrl?: string | undefined;
  /** Aborted when the client is closed. */
  readonly signal: AbortSignal;
}

/**
 * Keeps the store up to date: asks for what is needed, and merges what arrives by itself. With a WebSocket API, everything is
 * asked for after every connect. Without one, the inbox is read at the start and when the page is visible again.
 */
export function createLive(parts: LiveParts) {
  const { api, store, wsUrl, onError, signal } = parts;
  let isStarted = false;
  let gatherTimer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  signal.addEventListener('abort', () => clearTimeout(gatherTimer));
  /** The syncs of a connection by `ref`, each with the groups that it names. Without groups, it asks for all with something unread. */
  const syncs = new Map<unknown, readonly string[] | undefined>();

  let connection: ReturnType<typeof createConnection> | undefined;

  function sync(groups?: readonly string[]): void {
    const ref = syncs.size + 1;
    syncs.set(ref, groups);
    connection?.send({ action: 'sync', ref, groups });
  }

  function onFrame(frame: ServerFrame): void {
    if (frame.type === 'view') store.mergeViews([frame], frame.asOf);
    if (frame.type === 'receipts') {
      // What a full frame leaves out may have changed too. That is rare, so everything is asked for, as after a connect.
      if (frame.receipts.length === MOST_PUSHED) {
        store.expire();
        gather();
      }
      store.mergeReceipts(frame.groupId, frame.receipts, frame.asOf);
    }
    if (frame.type !== 'synced' || !syncs.has(frame.ref)) return;
    const { ref, asOf, views, complete } = frame;
    const asked = syncs.get(ref);
    if (asked) {
      store.mergeViews(views, asOf);
      const absent = absentOf(asked, views);
      // A frame may not be large enough for all of them. Otherwise the user is not in a group that is absent.
      if (complete) store.removeViews(absent, asOf);
      else if (views.length) sync(absent);
      return;
    }
    // A group that is absent here has nothing unread, but where its view stands is not known.
    store.expire();
    store.mergeViews(views, asOf, complete);
    store.setConnection('live');
    gather();
    if (!complete) void loadInbox(true);
  }

  /** Asks for all that is stale, soon. */
  function gather(pauseMs = GATHER_MS): void {
    clearTimeout(gatherTimer);
    gatherTimer = setTimeout(() => {
      gatherTimer = undefined;
      const groups = store.takeStaleGroups();
      // Before it is live, nothing is sent: after the connect, everything is asked for.
      if (store.getSnapshot().connection === 'live') for (const some of chunksOf(groups)) sync(some);
      if (!wsUrl && groups.length > 0) void loadInbox();
      for (const [groupId, messageIds] of store.staleReceipts()) {
        for (const some of chunksOf(messageIds)) void loadReceipts(groupId, some);
      }
    }, pauseMs);
  }

  function gatherLater(attempts: number): void {
    if (!gatherTimer) gather(pauseAfter(attempts));
  }

  async function loadReceipts(groupId: string, messageIds: readonly string[]): Promise<void> {
    const asOf = store.stamp();
    try {
      const answer = await api.countReceipts({ groupId, messageIds });
      failures = 0;
      store.mergeReceipts(groupId, answer.receipts, asOf);
    } catch (error) {
      if (signal.aborted || !isTemporary(error)) return onError(error);
      gatherLater(failures);
      failures += 1;
    }
  }

  /** Reads the whole inbox, or the groups with something unread. */
  async function loadInbox(unreadOnly = false): Promise<void> {
    const startedAsOf = store.stamp();
    let absent = store.groupIds();
    const read = async (archived?: true) => {
      let cursor: string | null = null;
      do {
        const asOf = store.stamp();
        const page = await api.getInbox({ unreadOnly, archived, limit: INBOX_LIMIT, cursor });
        cursor = page.cursor;
        absent = absentOf(absent, page.groups);
        store.mergeViews(page.groups, asOf, archived ? undefined : !cursor);
      } while (cursor);
    };
    try {
      // The badge is complete without the archived groups, but a listener may show one.
      await read();
      if (unreadOnly) return;
      await read(true);
      // A group that left the archive in between is in neither answer.
      if (absent.length > 0) await read();
      store.removeViews(absent, startedAsOf);
    } catch (error) {
      store.expire();
      onError(error);
    }
  }

  function check(): void {
    if (connection) connection.check();
    else if (isStarted) void loadInbox();
  }

  return {
    start(): void {
      if (isStarted) return;
      isStarted = true;
      store.setConnection(wsUrl ? 'connecting' : 'idle', true);
      if (wsUrl) {
        connection = createConnection({
          ...parts,
          url: wsUrl,
          onFrame,
          onOpen() {
            syncs.clear();
            sync();
          },
          onLost: () => store.setConnection('connecting'),
        });
      } else {
        check();
      }
    },

    /** The page is visible again, or the network is back. */
    check,

    /** Asks for the views that are stale, after a pause. */
    recheck(): void {
      if (!signal.aborted) gatherLater(RECHECK);
    },

    /** Asks for the view of a group, and for the receipts in it that are watched. */
    refresh(groupId: string): void {
      store.expire([groupId]);
      gather();
    },

    stop(): void {
      isStarted = false;
      connection?.stop();
      connection = undefined;
      store.setConnection('idle');
    },

    /** Keeps the view of a group up to date, and the receipts of messages until the function that this returns is called. */
    need(groupId: string, messageIds: readonly string[] = []): () => void {
      store.add(groupId);
      const releases = messageIds.map((id) => store.watchReceipt(groupId, id));
      gather();
      return () => {
        for (const release of releases) release();
      };
    },
  };
}

/** The groups that have no view here. */
function absentOf(groupIds: readonly string[], views: readonly InboxGroup[]): readonly string[] {
  const present = new Set(views.map(({ groupId }) => groupId));
  return groupIds.filter((id) => !present.has(id));
}

function chunksOf(all: readonly string[]): readonly (readonly string[])[] {
  return all.length > 0 ? [all.slice(0, MOST_ENTRIES), ...chunksOf(all.slice(MOST_ENTRIES))] : [];
}
