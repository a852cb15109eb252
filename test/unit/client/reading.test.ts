import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createReading } from '../../../client/src/reading.ts';
import { putFakePage } from './fake-page.ts';

let page: ReturnType<typeof putFakePage>;
let reading: ReturnType<typeof createReading>;
let read: string[];
const ended = new AbortController();

beforeEach(() => {
  jest.useFakeTimers();
  page = putFakePage();
  read = [];
  reading = createReading((messageId) => read.push(messageId), ended.signal);
});

afterEach(() => {
  page.remove();
  jest.useRealTimers();
});

const pass = (ms: number) => jest.advanceTimersByTime(ms);

/** A message on the page; `stop` ends its observation. */
function put(messageId: string, height?: number) {
  const element = page.element(height);
  return { element, stop: reading.observe(element, messageId) };
}

describe('a message is read', () => {
  test('once it has been in view for a second', () => {
    const { element } = put('7');
    pass(5_000);
    expect(read).toEqual([]);
    page.scroll(element, 40);
    pass(999);
    expect(read).toEqual([]);
    pass(1);
    expect(read).toEqual(['7']);
    pass(5_000);
    expect(read).toEqual(['7']);
  });

  test('not when less than half of it is in view', () => {
    const { element } = put('7');
    page.scroll(element, 19);
    pass(5_000);
    expect(read).toEqual([]);
    page.scroll(element, 20);
    pass(1_000);
    expect(read).toEqual(['7']);
  });

  test('when it is higher than the view and fills half of that', () => {
    const { element } = put('7', 6_000);
    page.scroll(element, 299);
    pass(5_000);
    expect(read).toEqual([]);
    page.scroll(element, 300);
    pass(1_000);
    expect(read).toEqual(['7']);
  });

  test.each([
    ['leaves the view', () => page.scroll(seen.element, 0), () => page.scroll(seen.element, 40)],
    ['is on a page that is hidden', () => page.hide(), () => page.show()],
    ['is in a window that loses the focus', () => page.blur(), () => page.focus()],
  ])('not when it %s within the second; then the second begins again', (_name, away, back) => {
    seen = put('7');
    page.scroll(seen.element, 40);
    pass(999);
    away();
    pass(5_000);
    expect(read).toEqual([]);
    back();
    pass(999);
    expect(read).toEqual([]);
    pass(1);
    expect(read).toEqual(['7']);
  });
  let seen: ReturnType<typeof put>;

  test('not after its observation has ended', () => {
    const { element, stop } = put('7');
    page.scroll(element, 40);
    stop();
    stop();
    pass(5_000);
    expect(read).toEqual([]);
    expect(page.observed.size).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('what was just marked unread', () => {
  test('is not read while it stays in view, nor is anything after it', () => {
    const [before, first] = [put('5'), put('7')];
    page.scroll(before.element, 40);
    page.scroll(first.element, 40);
    pass(1_000);
    expect(read).toEqual(['5', '7']);
    reading.hold('6');
    const later = put('8');
    page.scroll(later.element, 40);
    page.blur();
    page.focus();
    pass(60_000);
    expect(read).toEqual(['5', '7']);
  });

  test('is read again when it has been out of view for a second', () => {
    const { element } = put('7');
    page.scroll(element, 40);
    pass(1_000);
    reading.hold('6');
    page.scroll(element, 0);
    pass(1_000);
    page.scroll(element, 40);
    pass(1_000);
    expect(read).toEqual(['7', '7']);
  });

  test('is not read because the app draws it again', () => {
    const first = put('7');
    page.scroll(first.element, 40);
    reading.hold('6');
    first.stop();
    const second = put('7');
    pass(500);
    page.scroll(second.element, 40);
    pass(60_000);
    expect(read).toEqual([]);
  });

  test('does not hold what stands before it', () => {
    reading.hold('6');
    const [held, free] = [put('7'), put('6')];
    page.scroll(held.element, 40);
    page.scroll(free.element, 40);
    pass(1_000);
    expect(read).toEqual(['6']);
  });

  test('is read after all where that was undone', () => {
    const { element } = put('7');
    reading.hold('6');
    page.scroll(element, 40);
    pass(5_000);
    reading.hold(undefined);
    pass(1_000);
    expect(read).toEqual(['7']);
  });
});
