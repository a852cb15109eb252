import { connect as connectTcp } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/engines.ts';
import { startedForTests } from '../../support/started.ts';
import {
  HandshakeRefused,
  type OpenSocket,
  startWebSocketGateway,
} from '../../support/web-socket-gateway.ts';

const gateway = startedForTests(() => startWebSocketGateway());

const API_ID = expect.stringMatching(/^Live[0-9A-F]+$/);
const ID = expect.stringMatching(/^[\w-]{15}=$/);
const TIME = expect.any(Number);
const REQUEST_TIME = expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);

/** The texts that come, as JSON, once there are this many. */
const jsonOf = ({ received }: OpenSocket, count = 1) =>
  eventually(() => {
    expect(received).toHaveLength(count);
    return received.map((text) => JSON.parse(text));
  });

/** What a function printed under a name for a connection. */
const printed = (name: string, isWanted: (event: { requestContext: Record<string, unknown> }) => boolean) =>
  eventually(() => {
    const found = gateway.printed.flatMap((line) => (name in line ? [line[name]] : [])) as {
      requestContext: Record<string, unknown>;
    }[];
    const event = found.find(isWanted);
    expect(event).toBeDefined();
    return event as NonNullable<typeof event>;
  });

const pathOf = (connectionId: string) => `/live/@connections/${encodeURIComponent(connectionId)}`;

/** The id of a connection, which the gateway gives to its functions. */
async function idOf(opened: OpenSocket): Promise<string> {
  const before = opened.received.length;
  opened.socket.send('who am I?');
  const events = await jsonOf(opened, before + 1);
  return events.at(-1).requestContext.connectionId;
}

const refusal = (open: Promise<OpenSocket>) =>
  open.then(
    () => 'opened',
    (error: unknown) => {
      if (!(error instanceof HandshakeRefused)) throw error;
      return [error.status, error.body];
    },
  );

/** What the context of every event has, from a connection of the user agent "a test". */
const contextOf = (connectionId: unknown) => ({
  extendedRequestId: ID,
  requestTime: REQUEST_TIME,
  messageDirection: 'IN',
  stage: 'live',
  connectedAt: TIME,
  requestTimeEpoch: TIME,
  identity: { sourceIp: '127.0.0.1', userAgent: 'a test' },
  requestId: ID,
  domainName: new URL(gateway.url).host,
  connectionId,
  apiId: API_ID,
});

describe('a handshake', () => {
  test('is completed under the subprotocol that the function of $connect chose', async () => {
    const { socket } = await gateway.open(['tidemark.v1', 'bearer.alice']);
    expect(socket.protocol).toBe('tidemark.v1');
    expect(socket.extensions).toBe('');
  });

  test('is completed without a subprotocol where that function chose none: clients then fail it', async () => {
    await expect(gateway.open(['bearer.alice'])).rejects.toThrow('Server sent no subprotocol');
  });

  test('is refused with 401 where the header is missing, and no function is asked', async () => {
    const [status, body] = await refusal(gateway.open([]));
    expect(status).toBe(401);
    expect(JSON.parse(String(body))).toEqual({ message: 'Unauthorized', connectionId: ID, requestId: ID });
  });

  test.each([
    ['the authorizer throws "Unauthorized"', 'bad', 401, 'Unauthorized'],
    ['the authorizer fails', 'broken', 500, 'Internal server error'],
    ['its context has an object', 'nested', 500, 'Internal server error'],
    ['its policy allows something else', 'elsewhere', 403, 'User is not authorized to access this resource'],
    [
      'its policy denies',
      'denied',
      403,
      'User is not authorized to access this resource with an explicit deny',
    ],
  ])('is refused where %s', async (_what, token, expected, message) => {
    const [status, body] = await refusal(gateway.open(['tidemark.v1', `bearer.${token}`]));
    expect(status).toBe(expected);
    expect(JSON.parse(String(body))).toMatchObject({ message });
  });

  test.each([
    ['409, which the function of $connect answers', '?status=409', 409, 'the answer of the function'],
    ['502 where that function fails', '?fail=1', 502, '"message":"Internal server error"'],
    ['502 where it answers nothing', '?nothing=1', 502, '"message":"Internal server error"'],
  ])('is refused with %s', async (_what, query, expected, text) => {
    const [status, body] = await refusal(gateway.open(undefined, { query }));
    expect(status).toBe(expected);
    expect(body).toContain(text);
  });

  test('is refused with 403 at another path', async () => {
    const [status, body] = await refusal(gateway.open(undefined, { path: '/other' }));
    expect(status).toBe(403);
    expect(JSON.parse(String(body))).toMatchObject({ message: 'Forbidden' });
  });

  test.each([
    ['Origin', { headers: { Origin: 'https://evil.example' } }],
    ['Host, which DNS rebinding leads here,', { headers: { Host: 'evil.example' } }],
  ])('of a foreign %s is refused', async (_what, options) => {
    const [status, body] = await refusal(gateway.open(undefined, options));
    expect(status).toBe(403);
    expect(body).toBe('{"message":"Only this machine may call: the Host or the Origin is foreign."}');
  });

  test('of a page of this machine is completed', async () => {
    const { socket } = await gateway.open(undefined, { headers: { Origin: 'http://localhost:5173' } });
    expect(socket.readyState).toBe(socket.OPEN);
  });

  test('that is malformed is refused before any function runs', async () => {
    const { port } = new URL(gateway.url);
    const request = (lines: readonly string[]) =>
      new Promise<string>((resolve, reject) => {
        let answer = '';
        const socket = connectTcp(Number(port), '127.0.0.1', () =>
          socket.write(
            `${['GET /live?show=malformed HTTP/1.1', 'Host: localhost', ...lines].join('\r\n')}\r\n\r\n`,
          ),
        );
        socket.on('data', (part) => {
          answer += part.toString();
        });
        socket.once('end', () => resolve(answer.split('\r\n')[0] ?? ''));
        socket.once('error', reject);
      });
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Protocol: tidemark.v1, bearer.a',
    ];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    expect(await request([...upgrade, 'Sec-WebSocket-Version: 13'])).toBe('HTTP/1.1 400 Bad Request');
    expect(await request([...upgrade, key, 'Sec-WebSocket-Version: 7'])).toBe('HTTP/1.1 400 Bad Request');
    expect(gateway.printed.some(({ connect }) => connect !== undefined)).toBe(false);
  });

  test('shows the authorizer and the function of $connect what AWS shows them', async () => {
    await gateway.open(['tidemark.v1', 'bearer.shown'], {
      query: '?show=1&show=2',
      headers: { 'X-Name-As-Written': 'a', 'User-Agent': 'a test' },
    });
    const { host } = new URL(gateway.url);
    const headers = {
      Host: host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': expect.any(String),
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
      'Sec-WebSocket-Protocol': 'tidemark.v1,bearer.shown',
      'User-Agent': 'a test',
      'X-Name-As-Written': 'a',
      'X-Forwarded-For': '127.0.0.1',
      'X-Forwarded-Port': new URL(gateway.url).port,
      'X-Forwarded-Proto': 'http',
    };
    const request = {
      headers,
      multiValueHeaders: expect.objectContaining({ 'X-Name-As-Written': ['a'], 'User-Agent': ['a test'] }),
      queryStringParameters: { show: '2' },
      multiValueQueryStringParameters: { show: ['1', '2'] },
    };
    const requestContext = {
      routeKey: '$connect',
      eventType: 'CONNECT',
      ...contextOf(ID),
    };
    expect(await printed('authorizer', () => true)).toEqual({
      ...request,
      type: 'REQUEST',
      methodArn: expect.stringMatching(
        /^arn:aws:execute-api:us-east-1:000000000000:Live[0-9A-F]+\/live\/\$connect$/,
      ),
      stageVariables: {},
      requestContext,
    });
    expect(await printed('connect', () => true)).toEqual({
      ...request,
      requestContext: {
        ...requestContext,
        authorizer: {
          principalId: 'somebody',
          integrationLatency: TIME,
          user: 'shown',
          seven: '7',
          isNew: 'true',
        },
      },
      isBase64Encoded: false,
    });
  });

  test('that is not over has no connection yet: a push is answered with 410', async () => {
    const [status, body] = await refusal(gateway.open(undefined, { query: '?push=1' }));
    expect(status).toBe(418);
    expect(JSON.parse(String(body))).toMatchObject({ status: 410, error: 'GoneException' });
  });

  test('whose client goes away is not completed, and harms nothing', async () => {
    const { socket } = await gateway.open();
    const { port } = new URL(gateway.url);
    const leaving = connectTcp(Number(port), '127.0.0.1');
    leaving.write(
      [
        'GET /live?waitMs=100 HTTP/1.1',
        'Host: localhost',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol: tidemark.v1, bearer.leaving',
        '\r\n',
      ].join('\r\n'),
      () => leaving.destroy(),
    );
    socket.ping();
    await new Promise((resolve) => socket.once('pong', resolve));
  });

  test('of another protocol is answered over HTTP/1.1, since clients offer HTTP/2 so', async () => {
    const { port } = new URL(gateway.url);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connectTcp(Number(port), '127.0.0.1', () =>
        socket.write(
          'GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n',
        ),
      );
      socket.on('data', (part) => {
        text += part.toString();
        if (text.includes('an answer over HTTP')) socket.destroy();
      });
      socket.once('close', () => resolve(text));
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('a message', () => {
  test('goes to the function of its action, and what that pushes comes back', async () => {
    const opened = await gateway.open(undefined, { headers: { 'User-Agent': 'a test' } });
    opened.socket.send('{"action":"silent","a":"ü"}');
    const [event] = await jsonOf(opened);
    expect(event).toEqual({
      requestContext: {
        routeKey: 'silent',
        authorizer: {
          principalId: 'somebody',
          integrationLatency: TIME,
          user: 'alice',
          seven: '7',
          isNew: 'true',
        },
        messageId: ID,
        eventType: 'MESSAGE',
        ...contextOf(ID),
      },
      body: '{"action":"silent","a":"ü"}',
      isBase64Encoded: false,
    });
  });

  test.each([
    ['no JSON', 'hello'],
    ['no object', '7'],
    ['null', 'null'],
    ['a list', '[{"action":"silent"}]'],
    ['without an action', '{}'],
    ['of an unknown action', '{"action":"unknown"}'],
    ['whose action is no text', '{"action":7}'],
    ['that names a route of the gateway itself', '{"action":"$connect"}'],
    ['that names another one', '{"action":"$disconnect"}'],
    ['that names what every object has', '{"action":"constructor"}'],
  ])('that is %s goes to $default', async (_what, text) => {
    const opened = await gateway.open();
    opened.socket.send(text);
    const [event] = await jsonOf(opened);
    expect(event).toMatchObject({ body: text, requestContext: { routeKey: '$default' } });
  });

  test('is answered with what the function returns where the route has a response, else with nothing', async () => {
    const opened = await gateway.open();
    opened.socket.send('{"action":"silent","echo":"not sent"}');
    opened.socket.send('{"action":"answered","echo":"sent"}');
    await eventually(() => expect(opened.received).toEqual(['sent']));
    // The next one is answered after both.
    opened.socket.send('{"action":"ping"}');
    await eventually(() => expect(opened.received).toEqual(['sent', '{"type":"pong"}']));
  });

  test('of a route with a mock integration is answered without a function', async () => {
    const opened = await gateway.open();
    opened.socket.send('{"action":"ping"}');
    expect(await jsonOf(opened)).toEqual([{ type: 'pong' }]);
  });

  test.each([
    ['fails', '{"action":"silent","fail":true}'],
    ['answers nothing', '{"action":"silent","nothing":true}'],
  ])('whose function %s is answered with an internal server error', async (_what, text) => {
    const opened = await gateway.open();
    opened.socket.send(text);
    expect(await jsonOf(opened)).toEqual([
      { message: 'Internal server error', connectionId: ID, requestId: ID },
    ]);
  });

  test('of many frames comes as one, up to 128 KB', async () => {
    const opened = await gateway.open();
    const text = JSON.stringify({ action: 'answered', echo: 'x'.repeat(128 * 1024 - 31) });
    expect(text).toHaveLength(131_072);
    for (let at = 0; at < text.length; at += 32_768)
      opened.socket.send(text.slice(at, at + 32_768), { fin: at + 32_768 >= text.length });
    await eventually(() => expect(opened.received.map(({ length }) => length)).toEqual([131_041]));
  });

  test.each([
    ['one frame of more than 32 KB', (send: Send) => send('x'.repeat(32_769), true), 1009],
    [
      'more than 128 KB in frames of 32 KB',
      (send: Send) => {
        for (let frame = 0; frame < 5; frame += 1) send('x'.repeat(32_768), frame === 4);
      },
      1009,
    ],
    ['a binary frame', (send: Send) => send(Buffer.from('{"action":"ping"}'), true), 1003],
  ])('of %s closes the connection, and no function gets it', async (_what, sendTo, code) => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    sendTo((data, fin) => opened.socket.send(data, { fin }));
    expect((await opened.closed).code).toBe(code);
    const { requestContext } = await printed(
      'disconnect',
      (event) => event.requestContext.connectionId === connectionId,
    );
    expect(requestContext).toMatchObject({ disconnectStatusCode: code });
    expect(opened.received).toHaveLength(1);
  });
});

type Send = (data: string | Buffer, fin: boolean) => void;

describe('the end of a connection', () => {
  test('is shown to the function of $disconnect as AWS shows it', async () => {
    const opened = await gateway.open(undefined, { headers: { 'User-Agent': 'a test' } });
    const connectionId = await idOf(opened);
    opened.socket.close(4000, 'the client has seen enough');
    const { host } = new URL(gateway.url);
    expect(
      await printed('disconnect', (event) => event.requestContext.connectionId === connectionId),
    ).toEqual({
      headers: { Host: host, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' },
      multiValueHeaders: { Host: [host], 'x-api-key': [''], 'X-Forwarded-For': [''], 'x-restapi': [''] },
      requestContext: {
        routeKey: '$disconnect',
        authorizer: expect.objectContaining({ user: 'alice' }),
        disconnectStatusCode: 4000,
        disconnectReason: 'the client has seen enough',
        eventType: 'DISCONNECT',
        ...contextOf(connectionId),
      },
      isBase64Encoded: false,
    });
  });

  test.each([
    [
      'without a code',
      1005,
      'Client-side close frame status not set',
      ({ socket }: OpenSocket) => socket.close(),
    ],
    [
      'without a close frame',
      1006,
      'Connection closed abnormally',
      ({ socket }: OpenSocket) => socket.terminate(),
    ],
  ])('%s is shown as %i', async (_what, disconnectStatusCode, disconnectReason, end) => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    end(opened);
    const { requestContext } = await printed(
      'disconnect',
      (event) => event.requestContext.connectionId === connectionId,
    );
    expect(requestContext).toMatchObject({ disconnectStatusCode, disconnectReason });
  });
});

describe('the management of connections', () => {
  test('posts to a connection, in frames of at most 32 KB', async () => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    const body = 'ü'.repeat(65_536);
    expect(await gateway.manage('POST', pathOf(connectionId), { body })).toEqual({
      ...{ status: 200, errorType: null, text: '' },
    });
    await eventually(() => expect(opened.received[1]).toHaveLength(65_536));
    expect(opened.received[1]).toBe(body);
    expect(await gateway.manage('POST', pathOf(connectionId), { body: `${body}x` })).toMatchObject({
      ...{ status: 413, errorType: 'PayloadTooLargeException' },
    });
    expect(opened.socket.readyState).toBe(opened.socket.OPEN);
  });

  test.each(['GET', 'DELETE'])('denies %s to a function whose role allows only POST', async (method) => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    const { status, errorType, text } = await gateway.manage(method, pathOf(connectionId));
    expect([status, errorType]).toEqual([403, 'AccessDeniedException']);
    expect(JSON.parse(text).message).toMatch(
      new RegExp(
        '^User: arn:aws:sts::000000000000:assumed-role/[\\w-]+/message is not authorized to perform: ' +
          'execute-api:ManageConnections on resource: arn:aws:execute-api:us-east-1:000000000000:Live[0-9A-F]+' +
          `/live/${method}/@connections/${connectionId} because no identity-based policy allows`,
      ),
    );
    expect(opened.socket.readyState).toBe(opened.socket.OPEN);
  });

  test('denies everything to a function without the grant, also where the connection is gone', async () => {
    const opened = await gateway.open();
    opened.socket.send('{"action":"ungranted"}');
    const [answer] = await jsonOf(opened);
    expect(answer).toMatchObject({ status: 403, error: 'AccessDeniedException' });
    expect(await gateway.manage('POST', pathOf('gone='), { as: 'ungranted' })).toMatchObject({ status: 403 });
  });

  test('refuses what is not signed, and another stage', async () => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    expect(await gateway.manage('POST', pathOf(connectionId), { as: null, body: 'x' })).toMatchObject({
      ...{ status: 403, errorType: 'MissingAuthenticationTokenException' },
    });
    expect(await gateway.manage('POST', `/prod/@connections/${connectionId}`)).toMatchObject({
      ...{ status: 403, errorType: 'ForbiddenException' },
    });
    expect(opened.received).toHaveLength(1);
  });

  test('answers 410 for a connection that is gone, or that never was', async () => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    opened.socket.close();
    await opened.closed;
    for (const id of [connectionId, 'never-was='])
      expect(await gateway.manage('POST', pathOf(id), { body: 'x' })).toMatchObject({
        ...{ status: 410, errorType: 'GoneException' },
      });
  });

  test('describes a connection to a function that may ask', async () => {
    const opened = await gateway.open(undefined, { headers: { 'User-Agent': 'a test' } });
    const connectionId = await idOf(opened);
    const { status, text } = await gateway.manage('GET', pathOf(connectionId), { as: 'operator' });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      {
        connectedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        identity: { sourceIp: '127.0.0.1', userAgent: 'a test' },
        lastActiveAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      },
    ]);
  });

  test('closes a connection, which is gone at once', async () => {
    const opened = await gateway.open();
    const connectionId = await idOf(opened);
    expect(await gateway.manage('DELETE', pathOf(connectionId), { as: 'operator' })).toEqual({
      ...{ status: 204, errorType: null, text: '' },
    });
    expect(await gateway.manage('POST', pathOf(connectionId), { body: 'x' })).toMatchObject({ status: 410 });
    expect(await opened.closed).toEqual({ code: 1000, reason: 'Connection Closed Normally' });
    const { requestContext } = await printed(
      'disconnect',
      (event) => event.requestContext.connectionId === connectionId,
    );
    expect(requestContext).toMatchObject({
      ...{ disconnectStatusCode: 1000, disconnectReason: 'Connection Closed Normally' },
    });
  });

  test('refuses what a client does not read, and goes on with the others', async () => {
    const [slow, other] = [await gateway.open(), await gateway.open()];
    const [slowId, otherId] = [await idOf(slow), await idOf(other)];
    slow.socket.pause();
    const body = 'x'.repeat(128 * 1024);
    const refused = await eventually(async () => {
      const answer = await gateway.manage('POST', pathOf(slowId), { body });
      expect(answer.status).toBe(429);
      return answer;
    });
    expect(refused.errorType).toBe('LimitExceededException');
    expect(await gateway.manage('POST', pathOf(otherId), { body })).toMatchObject({ status: 200 });
    await eventually(() => expect(other.received[1]).toHaveLength(131_072));
    slow.socket.terminate();
  });
});

describe('the limits of a connection', () => {
  test.each([
    ['nothing is sent', { idleMs: 50 }],
    ['its time is over', { connectionMs: 50 }],
  ])('close it with 1001 once %s', async (_what, limits) => {
    const limited = await startWebSocketGateway({ limits });
    try {
      const { closed } = await limited.open();
      expect(await closed).toEqual({ code: 1001, reason: 'Going away' });
    } finally {
      await limited.stop();
    }
  });

  test('bound how long a function may take', async () => {
    const limited = await startWebSocketGateway({ limits: { integrationMs: 1_000 } });
    try {
      const opened = await limited.open();
      opened.socket.send('{"action":"silent","waitMs":9000}');
      expect(await jsonOf(opened)).toEqual([
        { message: 'Endpoint request timed out', connectionId: ID, requestId: ID },
      ]);
      const [status] = await refusal(limited.open(undefined, { query: '?waitMs=9000' }));
      expect(status).toBe(504);
    } finally {
      await limited.stop();
    }
  });
});

test('a stop closes connections with 1001, and runs $disconnect; a client that does not answer is cut off', async () => {
  const stopped = await startWebSocketGateway();
  const opened = await stopped.open();
  const silent = await stopped.open();
  silent.socket.pause();
  await stopped.api.stop();
  expect(await opened.closed).toEqual({ code: 1001, reason: 'Going away' });
  const endings = stopped.printed.map(
    ({ disconnect }) =>
      (disconnect as { requestContext: Record<string, unknown> }).requestContext.disconnectStatusCode,
  );
  expect(endings).toEqual([1001, 1001]);
  const [status] = await refusal(stopped.open());
  expect(status).toBe(503);
  await stopped.stop();
  silent.socket.terminate();
});
