/*
 * The parts of a browser that are used, declared here: the package needs no types of the DOM, so that it compiles in a
 * project for Node.js too. In Node.js all of them are absent.
 */

/** An element of a page. */
export interface PageElement {
  readonly tagName: string;
  getBoundingClientRect(): { readonly height: number };
}

interface Rectangle {
  readonly height: number;
}

export interface Sighting {
  readonly target: PageElement;
  readonly isIntersecting: boolean;
  readonly intersectionRatio: number;
  readonly intersectionRect: Rectangle;
  /** Null in a frame of another origin. */
  readonly rootBounds: Rectangle | null;
}

interface Observer {
  observe(element: PageElement): void;
  unobserve(element: PageElement): void;
}

interface Page {
  readonly document?: { readonly visibilityState: string; hasFocus(): boolean };
  readonly innerHeight?: number;
  readonly IntersectionObserver?: new (
    callback: (sightings: readonly Sighting[]) => void,
    options: { readonly threshold: readonly number[] },
  ) => Observer;
  addEventListener?(type: string, listener: () => void, options: { readonly signal: AbortSignal }): void;
}

export const page = globalThis as unknown as Page;

export function isPageHidden(): boolean {
  return page.document?.visibilityState === 'hidden';
}

/** Calls the listener at each of these events, which all reach the window, until the signal is aborted. */
export function onPage(types: readonly string[], signal: AbortSignal, listener: () => void): void {
  for (const type of types) page.addEventListener?.(type, listener, { signal });
}
