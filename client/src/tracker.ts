import type { WatermarkMoved } from './answers.ts';
import type { UserCalls } from './api.ts';
import { pauseAfter } from './backoff.ts';
import { isTemporary, TidemarkError } from './error.ts';
import { checkMessageId, isAbove, LARGEST_ID } from './message-id.ts';
import { type Outbox, type PendingMark, withMark } from './outbox.ts';
import type { PageElement } from './page.ts';
import type { CreateReading } from './reading.ts';
import type { Store } from './store.ts';

/** A mark is sent when no other message was shown for this time: one mark stands for many messages. */
const QUIET_MS = 500;
/** A mark waits no longer than this. */
const LONGEST_WAIT_MS = 2_000;
/** How often a mark is sent again if the service does not know its message yet. That takes about a minute. */
const CLAMPED_ATTEMPTS = 10;

/** A mark that is not sent any more. */
export interface DroppedMark {
  readonly groupId: string;
  readonly messageId: string;
  /** Why the service refused it; null where the message was not recorded in time. */
  readonly error: TidemarkError | null;
}

/** Marks one group as read while the user reads it. */
export interface Tracker {
  /** The user has seen the messages up to this one. */
  shown(messageId: string): void;
  /**
   * Calls `shown` once the message is read: in view, on a visible page, in the focused window, for a second, and not just
   * marked unread. Returns a function that stops it. Throws an error if the client was created without `createReading`.
   */
  observe(element: PageElement, messageId: string): () => void;
  /** Makes a message and all later ones unread again. Throws a TidemarkError; then nothing has changed. */
  markUnread(messageId: string): Promise<void>;
  /** Sends what is pending without waiting for more. Resolves when the service has answered, or could not be reached. */
  flush(): Promise<void>;
}

/** What only the tracker's owner calls. */
interface OwnedTracker extends Tracker {
  /** Takes over marks of an earlier page. */
  restore(marks: readonly PendingMark[]): void;
  viewChanged(): void;
}

export interface TrackerParts {
  readonly api: UserCalls;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly createReading?: CreateReading;
  /** Whether what is read now is read privately. */
  readonly isPrivate?: (groupId: string) => boolean | undefined;
  readonly onDropped?: (mark: DroppedMark) => void;
  /** Aborted when the client is closed. */
  readonly signal: AbortSignal;
}

export function createTracker(groupId: string, parts: TrackerParts): OwnedTracker {
  const { api, store, outbox, signal } = parts;
  /** A public one, a private one above it, or both. */
  let marks: readonly PendingMark[] = [];
  const inFlight = new Map<PendingMark, Promise<void>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the first of the messages was shown for which no mark was sent. */
  let waitingSinceMs: number | null = null;
  /** After a failure, nothing is sent before this time. */
  let retryAtMs = 0;
  /** The service asked not to be called before this time. This counts even if the page is hidden. */
  let notBeforeMs = 0;
  let failures = 0;
  let clampedAnswers = 0;
  const viewNow = () => store.getSnapshot().views.get(groupId);
  let view = viewNow();
  const reading = parts.createReading?.((messageId) => tracker.shown(messageId), signal);
  signal.addEventListener('abort', () => clearTimeout(timer));

  function isRead({ messageId }: PendingMark): boolean {
    return !isAbove(messageId, view?.messageId);
  }

  function add(mark: PendingMark): void {
    const next = isRead(mark) ? marks : withMark(marks, mark);
    if (next === marks) return;
    waitingSinceMs ??= Date.now();
    clampedAnswers = 0;
    if (failures === 0) retryAtMs = 0;
    keep(next, null);
  }

  /** Replaces what is pending. No mark up to `upTo` is pending any more. */
  function keep(left: readonly PendingMark[], upTo: string | null): void {
    marks = left;
    outbox.write(groupId, marks, upTo);
    sendLater();
  }

  function sendLater(): void {
    clearTimeout(timer);
    if (signal.aborted || marks.every((mark) => inFlight.has(mark))) return;
    const nowMs = Date.now();
    const dueMs = Math.min(nowMs + QUIET_MS, (waitingSinceMs ?? nowMs) + LONGEST_WAIT_MS);
    const atMs = retryAtMs > nowMs ? retryAtMs : dueMs;
    timer = setTimeout(() => void send(), atMs - nowMs);
  }

  async function send(): Promise<void> {
    clearTimeout(timer);
    waitingSinceMs = null;
    for (const mark of marks) if (!inFlight.has(mark)) inFlight.set(mark, deliver(mark));
    await Promise.all(inFlight.values());
  }

  async function deliver(mark: PendingMark): Promise<void> {
    const asOf = store.stamp();
    try {
      // `keepalive` lets the mark outlive the page, which may end at any moment.
      settle(mark, await api.markRead({ groupId, ...mark }, { keepalive: true }), asOf);
    } catch (error) {
      const { problem = null, retryAfter = null } = error instanceof TidemarkError ? error : {};
      if (problem?.code === 'revision_conflict') {
        // The user has marked unread since the message was shown: others see the read, and the own view stays.
        settle(mark, problem as unknown as WatermarkMoved, asOf);
      } else if (isTemporary(error)) {
        notBeforeMs = Date.now() + (retryAfter ?? 0) * 1_000;
        retryAtMs = Math.max(Date.now() + pauseAfter(failures), notBeforeMs);
        failures += 1;
      } else {
        drop(mark, error as TidemarkError);
      }
    }
    inFlight.delete(mark);
    sendLater();
  }

  /** Takes over the state in an answer. A mark that has overtaken its message is sent again. */
  function settle(mark: PendingMark, answer: WatermarkMoved, asOf: number): void {
    failures = 0;
    if (!answer.clamped || mark.messageId === LARGEST_ID) {
      done(mark);
    } else if (clampedAnswers === CLAMPED_ATTEMPTS) {
      drop(mark, null);
    } else {
      retryAtMs = Date.now() + pauseAfter(clampedAnswers);
      clampedAnswers += 1;
    }
    store.mergeViews([answer], asOf);
  }

  function drop(mark: PendingMark, error: TidemarkError | null): void {
    done(mark);
    parts.onDropped?.({ groupId, messageId: mark.messageId, error });
  }

  /** Neither this mark nor those that it implies need be sent any more. */
  function done({ messageId, private: isPrivateMark }: PendingMark): void {
    const left = marks.filter((one) => isAbove(one.messageId, messageId) || (isPrivateMark && !one.private));
    keep(left, messageId);
  }

  const tracker: OwnedTracker = {
    shown(messageId) {
      checkMessageId(messageId);
      store.see(groupId, messageId);
      add({ messageId, private: !!parts.isPrivate?.(groupId), ifRevision: view?.revision });
    },

    observe(element, messageId) {
      checkMessageId(messageId);
      if (!reading) throw new Error('no createReading');
      return reading.observe(element, messageId);
    },

    async markUnread(messageId) {
      checkMessageId(messageId);
      reading?.hold(String(BigInt(messageId) - 1n));
      try {
        // What was read before must be marked in the revision before.
        await tracker.flush();
        const asOf = store.stamp();
        store.mergeViews([await api.markUnread({ groupId, messageId })], asOf);
      } catch (error) {
        reading?.hold();
        throw error;
      }
    },

    async flush() {
      if (Date.now() >= notBeforeMs) await send();
    },

    restore(restored) {
      for (const mark of restored) add(mark);
    },

    viewChanged() {
      const before = view;
      view = viewNow();
      if (view === before || !view) return;
      if (before && before.messageId !== view.messageId) {
        reading?.hold(isAbove(before.messageId, view.messageId) ? view.messageId : undefined);
      }
      const left = marks.filter((mark) => inFlight.has(mark) || !isRead(mark));
      if (left.length < marks.length) keep(left, view.messageId);
    },
  };
  return tracker;
}
