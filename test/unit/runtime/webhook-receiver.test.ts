import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { WebhookReceiver } from '../../../functions/runtime/webhook-receiver.ts';

type Answer = number | 'TimeoutError' | 'TypeError';

let answers: Answer[];
let posts: number;
let reads: number;
let nowMs: number;
let receiver: WebhookReceiver;

beforeEach(() => {
  answers = [];
  posts = 0;
  reads = 0;
  nowMs = 1_700_000_000_000;
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  jest.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
    if (String(url).startsWith('data:')) return new Response('');
    posts += 1;
    const answer = answers.shift() ?? 200;
    if (typeof answer === 'string') throw Object.assign(new Error('no answer'), { name: answer });
    return new Response(null, { status: answer });
  });
  receiver = new WebhookReceiver({
    url: 'https://chat.example.com/hook',
    async readSecret() {
      reads += 1;
      if (reads === 1) throw new Error('not yet');
      return 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0';
    },
    nowMs: () => nowMs,
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const post = () => receiver.post('e1', '{}');
async function postAll(...given: Answer[]) {
  answers = [...given];
  for (const _answer of given) await post().catch(() => undefined);
}

test('a start without the secret does not fail; the first post reads it, the second does not', async () => {
  await receiver.warm();
  await post();
  await post();
  expect([reads, posts]).toEqual([2, 2]);
});

describe('a receiver that does not answer posts', () => {
  beforeEach(() => receiver.warm());

  test('gets no post for half a minute after three consecutive timeouts, then one', async () => {
    await postAll('TimeoutError', 'TimeoutError', 'TimeoutError');
    nowMs += 29_999;
    await expect(post()).rejects.toThrow('posts pause for a while');
    expect(posts).toBe(3);
    nowMs += 1;
    await postAll('TimeoutError');
    await expect(post()).rejects.toThrow('posts pause for a while');
    expect(posts).toBe(4);
    nowMs += 30_000;
    await postAll(200, 200);
    expect(posts).toBe(6);
  });

  test.each<[string, Answer]>([
    ['a good answer', 200],
    ['a bad answer', 500],
    ['a connection that is refused', 'TypeError'],
  ])(
    'gets the next post at once if %s came in between, because that took no time',
    async (_what, between) => {
      await postAll('TimeoutError', 'TimeoutError', between, 'TimeoutError', 'TimeoutError');
      answers = [200];
      await post();
      expect(posts).toBe(6);
    },
  );
});
