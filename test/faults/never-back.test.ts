import { expect, test } from '@jest/globals';
import { fieldsOf } from '../../local/http/api-client.ts';
import { eventually } from '../support/engines.ts';
import { cachedPositionText, positionText, withFaultStack } from '../support/fault-stack.ts';

const MARKS = 500;
const CALLERS = 10;
const READERS = 4;

const faults = withFaultStack();

test('with 500 marks in random order by 10 callers, 4 readers never see the watermark go back', async () => {
  const { api } = faults;
  const groupId = await api.openGroup(['sender', 'reader'], 0);
  expect((await api.record(groupId, MARKS, 'sender')).status).toBe(201);

  let isMarking = true;
  const readers = Array.from({ length: READERS }, async () => {
    const seen: number[] = [];
    while (isMarking) {
      const answer = await api.watermark(groupId, 'reader');
      seen.push(answer.status === 200 ? Number(fieldsOf(answer).messageId) : Number.NaN);
    }
    return seen;
  });
  const marks = shuffled(Array.from({ length: MARKS }, (_, index) => index + 1));
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    const refused: unknown[] = [];
    for (const messageId of marks.filter((_mark, index) => index % CALLERS === caller)) {
      const answer = await api.mark(groupId, 'reader', messageId);
      const { status, body } = answer;
      const isTaken = status === 200 && Number(fieldsOf(answer).messageId) >= messageId;
      if (!isTaken) refused.push({ messageId, status, body });
    }
    return refused;
  });
  const refused = await Promise.all(callers).finally(() => {
    isMarking = false;
  });
  expect(refused.flat()).toEqual([]);
  expect(faults.stack.lambda.sizes()[faults.functionName('mark-read')]).toBe(CALLERS);

  for (const seen of await Promise.all(readers)) {
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  }
  expect(await api.watermark(groupId, 'reader')).toMatchObject({ body: { messageId: '500' } });
  expect(await faults.ledgerPosition(groupId, 'reader')).toBe(positionText(500));
  expect(await faults.cachedText(groupId, 'reader')).toContain(cachedPositionText(500));

  const events = await eventually(async () => {
    const published = await api.watermarkEvents(groupId, 'reader');
    expect(published.at(-1)?.detail.to).toBe('500');
    return published;
  });
  // A repeated event is identical.
  const moves = [
    ...new Map(events.map(({ detail: { from, to } }) => [`${from} to ${to}`, { from, to }])).values(),
  ];
  expect(moves[0]?.from).toBeNull();
  expect(moves.slice(1).map(({ from }) => from)).toEqual(moves.slice(0, -1).map(({ to }) => to));
});

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
