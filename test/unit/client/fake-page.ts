import type { PageElement, Sighting } from '../../../client/src/page.ts';

const VIEW_HEIGHT = 600;

/** The parts of a browser that the client uses, on the global object until they are removed. */
export function putFakePage() {
  const listeners = new Set<{ readonly type: string; readonly listener: () => void }>();
  const observed = new Set<PageElement>();
  let report: (sightings: readonly Sighting[]) => void = () => undefined;
  let isHidden = false;
  let hasFocus = true;

  const parts = {
    document: {
      get visibilityState() {
        return isHidden ? 'hidden' : 'visible';
      },
      hasFocus: () => hasFocus,
    },
    innerHeight: VIEW_HEIGHT,
    addEventListener(type: string, listener: () => void, { signal }: { readonly signal: AbortSignal }) {
      const one = { type, listener };
      listeners.add(one);
      signal.addEventListener('abort', () => listeners.delete(one));
    },
    IntersectionObserver: class {
      constructor(callback: typeof report) {
        report = callback;
      }
      observe(element: PageElement) {
        observed.add(element);
      }
      unobserve(element: PageElement) {
        observed.delete(element);
      }
    },
  };
  const names = Object.keys(parts);
  for (const [name, value] of Object.entries(parts)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  const fire = (type: string) => {
    for (const one of listeners) if (one.type === type) one.listener();
  };

  return {
    fire,
    observed,
    listeners,
    hide() {
      isHidden = true;
      fire('visibilitychange');
    },
    show() {
      isHidden = false;
      fire('visibilitychange');
    },
    blur() {
      hasFocus = false;
      fire('blur');
    },
    focus() {
      hasFocus = true;
      fire('focus');
    },
    element(height = 40): PageElement {
      return { tagName: 'LI', getBoundingClientRect: () => ({ height }) };
    },
    /** This many pixels of an element are in view. */
    scroll(element: PageElement, pixels: number) {
      const { height } = element.getBoundingClientRect();
      report([
        {
          target: element,
          isIntersecting: pixels > 0,
          intersectionRatio: pixels / height,
          intersectionRect: { height: pixels },
          rootBounds: { height: VIEW_HEIGHT },
        },
      ]);
    },
    remove() {
      for (const name of names) Reflect.deleteProperty(globalThis, name);
    },
  };
}
