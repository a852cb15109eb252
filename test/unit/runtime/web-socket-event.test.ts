import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { connectionOf, statusAfter, tokenIn } from '../../../functions/runtime/web-socket-event.ts';

describe('the token among the subprotocols', () => {
  test.each([
    [{ 'Sec-WebSocket-Protocol': 'tidemark.v1, bearer.a.b.c' }, 'a.b.c'],
    [{ 'sec-websocket-protocol': 'bearer.a.b.c,tidemark.v1' }, 'a.b.c'],
    [{ 'Sec-WebSocket-Protocol': 'tidemark.v1' }, null],
    [{ 'Sec-WebSocket-Protocol': 'bearer.a.b.c' }, null],
    [{ 'Sec-WebSocket-Protocol': 'tidemark.v1, bearer.a.b.c, bearer.d.e.f' }, null],
    [{ 'Sec-WebSocket-Protocol': 'tidemark.v2, bearer.a.b.c' }, null],
    [{ Authorization: 'Bearer a.b.c' }, null],
    [{}, null],
  ])('of %p is %p', (headers, token) => {
    expect(tokenIn(headers)).toBe(token);
  });
});

describe('the connection of an event', () => {
  const requestContext = { connectionId: 'c1', connectedAt: 5, requestId: 'r', routeKey: 'mark' };

  test('is the one that the authorizer let in, with numbers that the gateway made text', () => {
    const authorizer = { principalId: 'alice', userId: 'alice', tokenExpiresAtMs: '1800000000000' };
    expect(connectionOf({ requestContext: { ...requestContext, authorizer } })).toEqual({
      userId: 'alice',
      connectionId: 'c1',
      connectedAtMs: 5,
      tokenExpiresAtMs: 1_800_000_000_000,
    });
  });

  test.each([
    undefined,
    {},
    { userId: 'alice' },
    { userId: 'no id', tokenExpiresAtMs: '1' },
    { userId: 'alice', tokenExpiresAtMs: 'soon' },
  ])('is none where the authorizer said %p', (authorizer) => {
    expect(() => connectionOf({ requestContext: { ...requestContext, authorizer } })).toThrow(
      'no context of its authorizer',
    );
  });
});

describe('the handling of a connection', () => {
  const requestContext = { connectionId: 'c1', connectedAt: 5, requestId: 'r', routeKey: '$connect' };
  /** What Lambda gives an event whose deadline is a moment away. */
  const soon = { getRemainingTimeInMillis: () => 510 };
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('that does not end before the deadline refuses the connection with 503', async () => {
    const warned = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const hanging = () => new Promise<{ statusCode: number }>(() => undefined);
    expect(await statusAfter({ requestContext }, soon, hanging)).toEqual({ statusCode: 503 });
    expect(warned.mock.calls).toMatchObject([
      [{ route: '$connect', requestId: 'r', error: { name: 'TidemarkError' } }],
    ]);
  });

  test('that ends in time gives its own status', async () => {
    expect(await statusAfter({ requestContext }, soon, async () => ({ statusCode: 429 }))).toEqual({
      statusCode: 429,
    });
  });
});
