import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/engines.ts';
import type { Fault, ProxiedRequest } from '../support/fault-proxy.ts';
import { cachedPositionText, expectCovered, withFaultStack } from '../support/fault-stack.ts';

const HEAD = 20;

const faults = withFaultStack();
let groupId: string;

beforeEach(async () => {
  groupId = await faults.api.openGroup(['sender', 'ann'], HEAD);
  await faults.emptyCache();
});

afterEach(() => faults.proxies.aws.clear());

const isCacheSecret = ({ operation, body }: ProxiedRequest) =>
  operation === 'GetSecretValue' && body.includes('upstash');

const secretReads = () => faults.proxies.aws.requests.filter(isCacheSecret).length;

const troubles: readonly (readonly [string, Fault])[] = [
  ['is silent', { kind: 'hang' }],
  [
    'refuses access',
    {
      kind: 'answer',
      status: 400,
      body: { __type: 'AccessDeniedException', message: 'a fault of the test' },
    },
  ],
  ['has another content', { kind: 'answer', status: 200, body: { SecretString: 'a-bare-token' } }],
];

describe.each(troubles)('the secret %s', (_what, fault) => {
  test('every call is answered from the ledger, few calls read the secret, and the cache comes back', async () => {
    faults.proxies.aws.always(isCacheSecret, fault);
    // New instances, without the secret.
    await faults.stack.lambda.kill();
    const before = secretReads();
    for (let messageId = 1; messageId <= HEAD; messageId += 1) {
      const expected = {
        messageId: String(messageId),
        unread: { count: HEAD - messageId, exact: true },
      };
      expect(await faults.api.mark(groupId, 'ann', messageId)).toMatchObject({ status: 200, body: expected });
      expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({ status: 200, body: expected });
      expect((await faults.api.record(groupId, messageId, 'sender')).status).toBe(200);
    }
    expect(secretReads() - before).toBeGreaterThan(0);
    expect(secretReads() - before).toBeLessThan(3 * HEAD);
    await eventually(async () =>
      expectCovered(await faults.api.notified(groupId, 'ann'), { from: null, to: HEAD }),
    );

    faults.proxies.aws.clear();
    await eventually(async () => {
      await faults.api.watermark(groupId, 'ann');
      expect(await faults.cachedText(groupId, 'ann')).toContain(cachedPositionText(HEAD));
    });
  });
});
