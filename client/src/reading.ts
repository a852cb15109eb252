import { isAbove, LARGEST_ID } from './message-id.ts';
import { isPageHidden, onPage, type PageElement, page, type Sighting } from './page.ts';

export type { PageElement } from './page.ts';

/** How long a message must be looked at to be read. */
const DWELL_MS = 1_000;
/** A message is in view when this share of it is, or when it fills this share of the view. */
const SHARE = 0.5;
/** Fine enough for a message that is many times as high as the view. */
const THRESHOLDS = Array.from({ length: 41 }, (_, step) => step / 40);

/** Observes the messages of one group. */
export interface Reading {
  /** Returns a function that stops it. */
  observe(element: PageElement, messageId: string): () => void;
  /** Everything above this message was marked unread, and is not read for now. Without a message, this ends. */
  hold(above?: string | null): void;
}

export type CreateReading = (onRead: (messageId: string) => void, signal: AbortSignal) => Reading;

type Timer = ReturnType<typeof setTimeout> | undefined;

interface Watched {
  readonly element: PageElement;
  readonly messageId: string;
  isInView: boolean;
  /** Counted since it came into view. */
  isRead: boolean;
  timer: Timer;
}

/**
 * Finds out which messages are read: in view, on a visible page, in the focused window, for a second. A message that was
 * just marked unread, and each later one, is not read until all of them have been out of view for a second.
 */
export function createReading(onRead: (messageId: string) => void, signal: AbortSignal): Reading {
  const all = new Set<Watched>();
  /** Messages above this one are held: they were just marked unread. None is above the largest id. */
  let heldAbove: string | null = LARGEST_ID;
  let releaseTimer: Timer;
  const observer = page.IntersectionObserver && new page.IntersectionObserver(see, { threshold: THRESHOLDS });
  onPage(['visibilitychange', 'focus', 'blur'], signal, update);

  function see(sightings: readonly Sighting[]): void {
    for (const sighting of sightings) {
      for (const one of all) if (one.element === sighting.target) one.isInView = isInView(sighting);
    }
    update();
  }

  function update(): void {
    const isLookedAt = !isPageHidden() && !!page.document?.hasFocus();
    for (const one of all) {
      if (!one.isInView) one.isRead = false;
      one.timer = dwell(one.isInView && !one.isRead && isLookedAt && !isHeld(one), one.timer, () => {
        one.isRead = true;
        onRead(one.messageId);
      });
    }
    const isOver = heldAbove !== LARGEST_ID && ![...all].some((one) => one.isInView && isHeld(one));
    releaseTimer = dwell(isOver, releaseTimer, hold);
  }

  function isHeld({ messageId }: Watched): boolean {
    return isAbove(messageId, heldAbove);
  }

  function hold(above: string | null = LARGEST_ID): void {
    heldAbove = above;
    update();
  }

  return {
    observe(element, messageId) {
      const one: Watched = { element, messageId, isInView: false, isRead: false, timer: undefined };
      all.add(one);
      observer?.observe(element);
      return () => {
        all.delete(one);
        clearTimeout(one.timer);
        observer?.unobserve(element);
        update();
      };
    },
    hold,
  };
}

/** Returns the timer of an action that runs when its condition has held for the whole dwell time. */
function dwell(holds: boolean, timer: Timer, action: () => void): Timer {
  if (holds) return timer ?? setTimeout(action, DWELL_MS);
  clearTimeout(timer);
  return undefined;
}

function isInView({ isIntersecting, intersectionRatio, intersectionRect, rootBounds }: Sighting): boolean {
  if (!isIntersecting) return false;
  const viewHeight = rootBounds?.height ?? page.innerHeight ?? 0;
  return intersectionRatio >= SHARE || intersectionRect.height >= viewHeight * SHARE;
}
