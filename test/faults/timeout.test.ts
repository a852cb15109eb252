import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import type { RawResources } from '../../local/aws/cloudformation/template.ts';
import type { Answer } from '../../local/http/api-client.ts';
import { eventually } from '../support/engines.ts';
import type { ProxiedRequest } from '../support/fault-proxy.ts';
import { positionText, withFaultStack } from '../support/fault-stack.ts';
import { opened } from '../support/web-socket-gateway.ts';

/** In seconds, shorter than the ledger's bounds: a call that hangs is still under way when the time is over. */
const TIMEOUTS = { 'mark-read': 2, 'remove-member': 2, 'answer-frame': 4, 'publish-events': 5 } as const;

const lines: string[] = [];

const faults = withFaultStack({
  changeResources: (resources) =>
    Object.entries(TIMEOUTS).reduce((rest, [name, seconds]) => withTimeout(rest, name, seconds), resources),
  log: {
    line: () => undefined,
    output: (name, text) => lines.push(...text.split('\n').map((line) => `${name}: ${line}`)),
  },
});

let groupId: string;
beforeEach(async () => {
  lines.length = 0;
  groupId = await openGroup();
});
afterEach(() => {
  for (const proxy of Object.values(faults.proxies)) proxy.clear();
});

describe('a route whose ledger does not answer until the time is over', () => {
  test('answers 503 with Retry-After before Lambda ends it, and the repeated call succeeds', async () => {
    faults.proxies.dynamodb.always('UpdateItem', { kind: 'hang' });
    expectUnavailable(await faults.api.mark(groupId, 'ann', 2));
    faults.proxies.dynamodb.clear();
    expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(0));
    expect(await faults.api.mark(groupId, 'ann', 2)).toMatchObject({
      status: 200,
      body: { messageId: '2', advanced: true },
    });
    expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(2));
  });

  test('serves the next request as if nothing had happened', async () => {
    faults.proxies.dynamodb.always('UpdateItem', { kind: 'hang' });
    expectUnavailable(await faults.api.mark(groupId, 'ann', 2));
    faults.proxies.dynamodb.clear();
    expect(await faults.api.mark(groupId, 'sender', 3)).toMatchObject({
      status: 200,
      body: { userId: 'sender', messageId: '3' },
    });
  });

  // A removal that goes on in the background would undo a later joining: it ends every joining that it finds.
  test('does nothing more after its answer', async () => {
    const isOf = (userId: string) => (request: ProxiedRequest) =>
      request.operation === 'UpdateItem' && request.body.includes(`USER#${userId}"`);
    const goOn = faults.proxies.dynamodb.always(isOf('ann'), { kind: 'hang' });
    expectUnavailable(await removed('ann'));
    goOn();
    expect((await removed('ann')).status).toBe(204);
    expect((await faults.api.asService('PUT', `/v1/groups/${groupId}/members/ann`)).status).toBe(201);
    // The ledger's client tries three times, 2 s each: what it still had to try is over when three more calls are.
    faults.proxies.dynamodb.always(isOf('sender'), { kind: 'hang' });
    for (let call = 0; call < 4; call += 1) expectUnavailable(await removed('sender'));
    expect((await faults.api.watermark(groupId, 'ann')).status).toBe(200);
  });
});

test('a frame whose ledger does not answer until the time is over gets an answer 503, and can be sent again', async () => {
  const url = faults.description.wsUrl ?? '';
  const token = await faults.userToken('ann');
  const device = await opened(new WebSocket(url, ['tidemark.v1', `bearer.${token}`]));
  const answerTo = async (ref: number) => {
    device.socket.send(JSON.stringify({ action: 'mark', groupId, messageId: '2', ref }));
    return eventually(() => {
      const frames = device.received.map(
        (text) => JSON.parse(text) as { readonly type?: string; readonly ref?: number },
      );
      // A frame without a type is the gateway's own.
      const answer = frames.find((frame) => frame.ref === ref || frame.type === undefined);
      if (!answer) throw new Error('there is no answer yet');
      return answer;
    });
  };
  faults.proxies.dynamodb.always('UpdateItem', { kind: 'hang' });
  expect(await answerTo(1)).toMatchObject({
    type: 'answer',
    ref: 1,
    status: 503,
    body: { code: 'unavailable' },
  });
  faults.proxies.dynamodb.clear();
  expect(await answerTo(2)).toMatchObject({ type: 'answer', ref: 2, status: 200, body: { messageId: '2' } });
  device.socket.close();
});

test('a batch of the stream with a group whose ledger does not answer lets the other groups through', async () => {
  const [first, other] = [await openGroup(), await openGroup()];
  const ledger = faults.proxies.dynamodb;
  const listsMembersOf =
    (group: string) =>
    ({ operation, body }: ProxiedRequest) =>
      operation === 'Query' && body.includes('"members"') && body.includes(group);
  ledger.always(listsMembersOf(groupId), { kind: 'hang' });
  // While the projector waits for the first group, the records of the two others come together.
  const goOn = ledger.always(listsMembersOf(first), { kind: 'hang' });
  await mark(first, 'ann');
  await eventually(() => expect(ledger.requests.some(listsMembersOf(first))).toBe(true));
  await mark(groupId, 'ann');
  await mark(other, 'ann');
  goOn();
  await eventually(async () => expect(await faults.api.fullyReadEvents(other)).toContain('3'));
  expect(await faults.api.fullyReadEvents(groupId)).not.toContain('3');
  ledger.clear();
  await eventually(async () => expect(await faults.api.fullyReadEvents(groupId)).toContain('3'));
});

test('a batch whose events a silent bus does not take is reported record by record, and not ended by Lambda', async () => {
  const members = Array.from({ length: 40 }, (_, index) => `member-${index}`);
  const group = await faults.api.openGroup(['sender', 'first', ...members], 3);
  const bus = faults.proxies.aws;
  const isOfFirst = ({ operation, body }: ProxiedRequest) =>
    operation === 'PutEvents' && body.includes(group) && body.includes('first');
  // While publish-events waits for the first event, the others come together.
  const goOn = bus.always(isOfFirst, { kind: 'hang' });
  await mark(group, 'first');
  await eventually(() => expect(bus.requests.some(isOfFirst)).toBe(true));
  for (const userId of members) await mark(group, userId);
  // Four calls of a batch of forty take 8 s.
  const isOfOthers = (request: ProxiedRequest) => request.operation === 'PutEvents' && !isOfFirst(request);
  bus.always(isOfOthers, { kind: 'hang' });
  goOn();
  lines.length = 0;
  const isRefused = (line: string) => /publish-events: .*the bus did not take events/.test(line);
  await eventually(() => expect(lines.filter(isRefused).length).toBeGreaterThanOrEqual(8));
  bus.clear();
  for (const userId of members) {
    await eventually(async () => expect(await faults.api.watermarkEvents(group, userId)).not.toEqual([]));
  }
  expect(lines.filter((line) => /"\[AbortError\]|timed out/i.test(line))).toEqual([]);
});

const openGroup = () => faults.api.openGroup(['sender', 'ann'], 3);

async function mark(group: string, userId: string): Promise<void> {
  expect((await faults.api.mark(group, userId, 3)).status).toBe(200);
}

function removed(userId: string): Promise<Answer> {
  return faults.api.asService('DELETE', `/v1/groups/${groupId}/members/${userId}`);
}

function expectUnavailable({ status, contentType, retryAfter, body }: Answer): void {
  expect({ status, body }).toMatchObject({ status: 503, body: { status: 503, code: 'unavailable' } });
  expect(contentType).toBe('application/problem+json');
  expect(retryAfter).toBe('1');
}

function withTimeout(resources: RawResources, folder: string, seconds: number): RawResources {
  const changed = Object.entries(resources).map(([id, resource]) => {
    const { Type, Properties } = resource as { Type: string; Properties?: { FunctionName?: unknown } };
    const isIt = Type === 'AWS::Lambda::Function' && String(Properties?.FunctionName).endsWith(`-${folder}`);
    return [id, isIt ? { ...resource, Properties: { ...Properties, Timeout: seconds } } : resource];
  });
  return Object.fromEntries(changed);
}
