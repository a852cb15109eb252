import { createUserApi, type UserCalls } from './api.ts';
import type { WebSocketConstructor } from './connection.ts';
import { createLive } from './live.ts';
import { createOutbox, type MarkStorage } from './outbox.ts';
import { isPageHidden, onPage } from './page.ts';
import type { CreateReading } from './reading.ts';
import { createStore, type NotedMessage, type Snapshot } from './store.ts';
import { createTracker, type DroppedMark, type Tracker } from './tracker.ts';
import type { ApiOptions, TokenSource } from './transport.ts';

export interface TidemarkOptions extends ApiOptions {
  readonly token: TokenSource;
  /** The user of the tokens. */
  readonly userId: string;
  /** The address of the WebSocket API. Without it, nothing arrives by itself. */
  readonly wsUrl?: string | undefined;
  /** In place of the global `WebSocket`, which Node.js has from version 22 on. */
  readonly WebSocket?: WebSocketConstructor;
  /** That of `tidemark-client/reading`, for the trackers' `observe`. Without it, the app calls `shown`. */
  readonly createReading?: CreateReading;
  /** Where marks survive a reload. */
  readonly storage?: MarkStorage;
  /** Whether what the user reads now is read privately, so that nobody else can notice. */
  readonly isPrivate?: (groupId: string) => boolean | undefined;
  /** A mark is given up: the service refused it for good, or its message was never recorded. */
  readonly onDropped?: (mark: DroppedMark) => void;
  /** Any other failure, such as that of the token callback or the storage. The client tries again by itself where that can help. */
  readonly onError?: (error: unknown) => void;
}

/** What a listener shows: the own view of a group, and the receipts of messages in it. */
export interface Interest {
  readonly groupId: string;
  readonly messageIds?: readonly string[];
}

export interface Tidemark {
  /** The calls of the user's routes. The answer of `setPreferences` is in the next snapshot. */
  readonly api: UserCalls;
  /**
   * Calls the listener when the snapshot has changed. While there is a listener, there is a connection. Returns a function
   * that ends it.
   */
  subscribe(listener: () => void, interest?: Interest): () => void;
  /** The same object as long as nothing has changed. */
  getSnapshot(): Snapshot;
  /**
   * The chat brought a message. The badge rises at once, but not for an own message, and not twice for the same. The
   * service's next view of the group then counts the message. If the view may not count it, the client asks for another one
   * within seconds.
   */
  noteMessage(groupId: string, messageId: string, message: NotedMessage): void;
  /**
   * Asks for the view of a group, and for the receipts in it that listeners show. For what the service does not announce:
   * the chat has deleted a message or the group, or the user has joined or left it.
   */
  refresh(groupId: string): void;
  /** The tracker of a group: the same each time. */
  tracker(groupId: string): Tracker;
  /** Sends what is pending, and ends everything. */
  close(): Promise<void>;
}

/**
 * The connection and what is known stay for this time after their last listener: a page often replaces one listener by
 * another.
 */
const LINGER_MS = 5_000;

/** Creates the client of one user: its calls, its trackers, and the state that arrives by itself. */
export function createTidemark(options: TidemarkOptions): Tidemark {
  const { userId, onError = () => undefined } = options;
  const ended = new AbortController();
  const { signal } = ended;
  const listeners = new Set<() => void>();
  const lingering = new Set<ReturnType<typeof setTimeout>>();
  const trackers = new Map<string, ReturnType<typeof createTracker>>();
  const calls = createUserApi(options);
  const api: UserCalls = {
    ...calls,
    async setPreferences(...given) {
      const answer = await calls.setPreferences(...given);
      store.mergePreferences(answer);
      return answer;
    },
    async markAll(...given) {
      const answer = await calls.markAll(...given);
      // Without a connection, nothing else brings the views.
      if (!answer.cursor) live.check();
      return answer;
    },
  };
  const store = createStore(
    userId,
    () => {
      for (const tracker of trackers.values()) tracker.viewChanged();
      for (const listener of listeners) listener();
    },
    () => live.recheck(),
  );
  const outbox = createOutbox(options.storage, userId, onError);
  const parts = { ...options, api, store, outbox, onError, signal };
  const live = createLive(parts);

  function trackerOf(groupId: string) {
    const known = trackers.get(groupId);
    if (known) return known;
    const tracker = createTracker(groupId, parts);
    trackers.set(groupId, tracker);
    // A mark says in which revision of the view the message was read.
    live.need(groupId);
    return tracker;
  }

  const flushAll = () => Promise.all([...trackers.values()].map((tracker) => tracker.flush()));
  onPage(['visibilitychange', 'pagehide', 'online'], signal, () => {
    void flushAll();
    if (!isPageHidden()) live.check();
  });

  outbox
    .read()
    .then((groups) => {
      for (const [groupId, marks] of groups) trackerOf(groupId).restore(marks);
    })
    .catch(onError);

  return {
    api,
    getSnapshot: store.getSnapshot,
    tracker: trackerOf,
    noteMessage: store.note,
    refresh: live.refresh,

    subscribe(listener, interest) {
      // The same function may listen twice.
      const own = () => listener();
      listeners.add(own);
      const release = interest && live.need(interest.groupId, interest.messageIds);
      live.start();
      return () => {
        if (!listeners.delete(own)) return;
        const timer = setTimeout(() => {
          lingering.delete(timer);
          release?.();
          if (listeners.size === 0) live.stop();
        }, LINGER_MS);
        lingering.add(timer);
      };
    },

    async close() {
      ended.abort();
      for (const timer of lingering) clearTimeout(timer);
      listeners.clear();
      live.stop();
      await flushAll();
    },
  };
}
