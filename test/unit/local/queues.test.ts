import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { TemplateError } from '../../../local/aws/cloudformation/template.ts';
import { MessageStore } from '../../../local/aws/queues/message-store.ts';
import { Queues } from '../../../local/aws/queues/queues.ts';
import { queueTemplate } from '../../support/queue-template.ts';

const WORK = 'arn:aws:sqs:us-east-1:000000000000:work';
const DEAD = 'arn:aws:sqs:us-east-1:000000000000:dead';

let directory: string;
let store: MessageStore;
let nowMs: number;
let queues: Queues;

const open = () => {
  store = new MessageStore(join(directory, 'queues.jsonl'));
  queues = new Queues(queueTemplate(), store, { nowMs: () => nowMs, speed: 60 });
};
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-queues-'));
  nowMs = 1_000_000;
  open();
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

const restart = () => {
  store.close();
  open();
};
const receive = (isForFunction = false) => queues.get(WORK).receive({ most: 10, isForFunction });
const bodies = () => receive().map(({ message }) => message.body);

test('messages are received in the order in which they were sent, each by one receiver', () => {
  for (const body of ['a', 'b', 'c']) queues.get(WORK).send({ body });
  expect(
    queues
      .get(WORK)
      .receive({ most: 2 })
      .map(({ message }) => message.body),
  ).toEqual(['a', 'b']);
  expect(bodies()).toEqual(['c']);
  expect(bodies()).toEqual([]);
});

test('a pause is shortened', () => {
  queues.get(WORK).send({ body: 'late' });
  const [received] = receive();
  queues.get(WORK).changeVisibility(received?.receiptHandle ?? '', 60);
  nowMs += 999;
  expect(bodies()).toEqual([]);
  nowMs += 1;
  expect(bodies()).toEqual(['late']);
});

test('a delay of a second passes in real time', () => {
  queues.get(WORK).send({ body: 'delayed', delaySeconds: 1 });
  queues.get(WORK).send({ body: 'at once' });
  expect(bodies()).toEqual(['at once']);
  nowMs += 999;
  expect(bodies()).toEqual([]);
  nowMs += 1;
  expect(bodies()).toEqual(['delayed']);
});

test('a longer delay is as much shorter as a pause is', () => {
  queues.get(WORK).send({ body: 'delayed', delaySeconds: 90 });
  nowMs += 1_499;
  expect(bodies()).toEqual([]);
  nowMs += 1;
  expect(bodies()).toEqual(['delayed']);
});

test('a message that was not deleted is visible again after the visibility timeout, in real time', () => {
  queues.get(WORK).send({ body: 'a' });
  expect(receive(true).map(({ message }) => message.receiveCount)).toEqual([1]);
  nowMs += 359_999;
  expect(receive()).toEqual([]);
  nowMs += 1;
  expect(receive(true).map(({ message }) => message.receiveCount)).toEqual([2]);
});

test('once its function has ended, the rest of the timeout is shortened', () => {
  queues.get(WORK).send({ body: 'a' });
  const [received] = receive(true);
  nowMs += 60_000;
  queues.get(WORK).settle(received?.receiptHandle ?? '');
  nowMs += 4_999;
  expect(receive()).toEqual([]);
  nowMs += 1;
  expect(bodies()).toEqual(['a']);
});

test('a pause that the function set is shortened, and does not change when the function ends', () => {
  queues.get(WORK).send({ body: 'a' });
  const [received] = receive(true);
  const handle = received?.receiptHandle ?? '';
  expect(queues.get(WORK).changeVisibility(handle, 3_600)).toBe(true);
  queues.get(WORK).settle(handle);
  nowMs += 59_999;
  expect(receive()).toEqual([]);
  nowMs += 1;
  expect(bodies()).toEqual(['a']);
});

test('a handle is valid only for its own receive', () => {
  queues.get(WORK).send({ body: 'a' });
  const [first] = receive();
  nowMs += 360_000;
  const [second] = receive();
  const old = first?.receiptHandle ?? '';
  expect(queues.get(WORK).changeVisibility(old, 0)).toBe(false);
  queues.get(WORK).delete(old);
  expect(queues.get(WORK).messages()).toHaveLength(1);
  queues.get(WORK).delete(second?.receiptHandle ?? '');
  expect(queues.get(WORK).messages()).toEqual([]);
});

test('after three receives a message goes to the dead-letter queue, with its id and time of sending', () => {
  const { id } = queues.get(WORK).send({ body: '{"a":1}' });
  for (const count of [1, 2, 3]) {
    expect(receive().map(({ message }) => message.receiveCount)).toEqual([count]);
    nowMs += 360_000;
  }
  expect(receive()).toEqual([]);
  expect(queues.get(WORK).messages()).toEqual([]);
  expect(queues.get(DEAD).messages()).toMatchObject([{ id, sentAtMs: 1_000_000, receiveCount: 0 }]);
  expect(queues.deadLetters).toEqual([
    {
      queue: DEAD,
      receivedAt: '1970-01-01T00:34:40.000Z',
      message: { a: 1 },
      reason: 'received 3 times',
    },
  ]);
});

describe('a restart', () => {
  test('keeps bodies, receive counts and pauses, and what was deleted stays deleted', () => {
    for (const body of ['deleted', 'paused', 'waiting']) queues.get(WORK).send({ body });
    const [deleted, paused] = queues.get(WORK).receive({ most: 2 });
    queues.get(WORK).delete(deleted?.receiptHandle ?? '');
    queues.get(WORK).changeVisibility(paused?.receiptHandle ?? '', 60);
    restart();
    expect(bodies()).toEqual(['waiting']);
    nowMs += 1_000;
    expect(receive()).toMatchObject([{ message: { body: 'paused', receiveCount: 2 } }]);
  });

  test('keeps the rest of a delay', () => {
    queues.get(WORK).send({ body: 'delayed', delaySeconds: 1 });
    nowMs += 400;
    restart();
    nowMs += 599;
    expect(bodies()).toEqual([]);
    nowMs += 1;
    expect(bodies()).toEqual(['delayed']);
  });

  test('makes messages visible that a function was processing', () => {
    queues.get(WORK).send({ body: 'a' });
    receive(true);
    restart();
    nowMs += 6_000;
    expect(bodies()).toEqual(['a']);
  });

  test('skips half a line that a killed run has left', () => {
    queues.get(WORK).send({ body: 'a' });
    store.close();
    appendFileSync(join(directory, 'queues.jsonl'), '{"put":{"id":"b","bod');
    open();
    expect(bodies()).toEqual(['a']);
  });
});

test('the file does not grow with past changes', () => {
  const file = join(directory, 'queues.jsonl');
  for (let round = 0; round < 10_000; round += 1) {
    queues.get(WORK).send({ body: 'x'.repeat(100) });
    const [received] = receive();
    queues.get(WORK).delete(received?.receiptHandle ?? '');
  }
  expect(readFileSync(file).length).toBeLessThan(8_000_000);
  restart();
  expect(readFileSync(file, 'utf8')).toBe('');
});

test('a move creates new messages from those that can be received', () => {
  queues.get(DEAD).send({ body: 'later' });
  queues.get(DEAD).receive({ most: 1 });
  const { id } = queues.get(DEAD).send({ body: 'again' });
  expect(queues.move(queues.get(DEAD), queues.get(WORK))).toMatchObject({ moved: 1 });
  expect(queues.get(DEAD).messages()).toMatchObject([{ body: 'later' }]);
  const [moved] = receive();
  expect(moved?.message).toMatchObject({ body: 'again', receiveCount: 1 });
  expect(moved?.message.id).not.toBe(id);
});

test('an unknown queue is an error of the template', () => {
  expect(() => queues.get(`${WORK}-2`)).toThrow(TemplateError);
});

test('a wait ends with a message, with a pause that ends, and with the signal', async () => {
  nowMs = Date.now();
  const never = new AbortController();
  const sent = queues.get(WORK).wait(Number.POSITIVE_INFINITY, never.signal);
  queues.get(WORK).send({ body: 'a' });
  await sent;
  const [received] = receive();
  queues.get(WORK).changeVisibility(received?.receiptHandle ?? '', 1);
  await queues.get(WORK).wait(Number.POSITIVE_INFINITY, never.signal);
  receive();
  const aborted = queues.get(WORK).wait(Number.POSITIVE_INFINITY, never.signal);
  never.abort();
  await aborted;
});
