import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import { WebSocket } from 'ws';
import { type ServerFrame, serverFrames } from '../../shared/contract/server-frames.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { expiringToken, type OtherClaims } from '../support/expiring-token.ts';
import { withStack } from '../support/running-stack.ts';
import { HandshakeRefused, type OpenSocket, opened } from '../support/web-socket-gateway.ts';

const stack = withStack();

/** A device of a user. Each frame that it got is as the contract has it. */
interface Device extends OpenSocket {
  frames(): ServerFrame[];
  send(frame: unknown): void;
  /** Sends a frame and returns its answer, which has the same `ref`. */
  ask(frame: object): Promise<ServerFrame>;
}

const frameSchema = v.variant('type', [
  ...Object.values(serverFrames).map(
    (schema) =>
      schema as unknown as v.StrictObjectSchema<{ type: v.LiteralSchema<string, undefined> }, undefined>,
  ),
]);

let refs = 0;

async function connectWith(token: string): Promise<Device> {
  const url = stack.description.wsUrl ?? '';
  const device = await opened(new WebSocket(url, ['tidemark.v1', `bearer.${token}`]));
  const frames = () =>
    device.received.map((text) => v.parse(frameSchema, JSON.parse(text)) as unknown as ServerFrame);
  const send = (frame: unknown) =>
    device.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  return {
    ...device,
    frames,
    send,
    async ask(frame) {
      refs += 1;
      const ref = refs;
      send({ ...frame, ref });
      return eventually(() => {
        const answer = frames().find((one) => 'ref' in one && one.ref === ref);
        if (!answer) throw new Error(`no answer to ${JSON.stringify(frame)}`);
        return answer;
      });
    },
  };
}

const connect = async (userId: string) => connectWith(await stack.userToken(userId));

/** Alice has sent 1 to 3, Bob and Carol are members too. */
async function aGroup() {
  const [groupId, alice, bob, carol] = ['g', 'alice', 'bob', 'carol'].map(freshPrefix) as [
    string,
    string,
    string,
    string,
  ];
  await stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds: [alice, bob, carol] });
  for (const messageId of ['1', '2', '3']) {
    await stack.asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId: alice });
  }
  // What the recording pushed to Alice's devices must be over before a test connects them.
  await eventually(async () => {
    const moves = await stack.eventsOf(groupId, 'WatermarkAdvanced');
    expect(moves.at(-1)?.detail).toMatchObject({ userId: alice, to: '3' });
  });
  return { groupId, alice, bob, carol };
}

const tokenFor = (subject: string, seconds: number, claims?: OtherClaims) =>
  expiringToken(stack.dataDirectory, subject, seconds, claims);

const refusal = (open: Promise<unknown>) =>
  open.then(
    () => 'opened',
    (error: unknown) => {
      if (!(error instanceof HandshakeRefused)) throw error;
      return error.status;
    },
  );

describe('who may connect', () => {
  test('a user with a token; the answer picks the subprotocol', async () => {
    const device = await connect(freshPrefix('dave'));
    expect(device.socket.protocol).toBe('tidemark.v1');
    device.socket.close();
  });

  test('nobody without a token, and nobody with one that is not valid, before the connection is open', async () => {
    const url = stack.description.wsUrl ?? '';
    const dave = freshPrefix('dave');
    const good = await stack.userToken(dave);
    const statuses = await Promise.all(
      [
        opened(new WebSocket(url)),
        opened(new WebSocket(url, ['tidemark.v1'])),
        opened(new WebSocket(url, [`bearer.${good}`])),
        opened(new WebSocket(`${url}?token=${good}`)),
        connectWith('not-a-token'),
        connectWith(`${good.slice(0, -8)}AAAAAAAA`),
        connectWith(await tokenFor(dave, -1)),
        connectWith(await tokenFor(dave, 60, { aud: 'another' })),
        connectWith(await tokenFor(dave, 60, { scope: 'other' })),
        connectWith(await tokenFor('not a user id', 60)),
        connectWith(await stack.serviceToken()),
      ].map(refusal),
    );
    expect(statuses).toEqual([401, 401, 401, 401, 401, 401, 401, 401, 403, 403, 403]);
  });

  test('a user has 20 connections: a further one closes the oldest', async () => {
    const dave = freshPrefix('dave');
    const devices: Device[] = [];
    for (let count = 0; count < 21; count += 1) devices.push(await connect(dave));
    const [oldest, second] = devices;
    if (!oldest || !second) throw new Error('there are no devices');
    await oldest.closed;
    expect(devices.slice(1).map(({ socket }) => socket.readyState)).toEqual(Array(20).fill(WebSocket.OPEN));
    for (const { socket } of devices) socket.close();
  });
});

describe('frames', () => {
  test('sync returns the own views, of all groups with something unread or of those that are named', async () => {
    const { groupId, bob } = await aGroup();
    const device = await connect(bob);
    const view = {
      groupId,
      messageId: null,
      revision: 0,
      head: '3',
      unread: { count: 3, mentions: 0, firstId: '1', exact: true },
      ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
      preferencesRevision: 0,
    };
    const synced = { type: 'synced', asOf: expect.any(Number), views: [view], complete: true };
    expect(await device.ask({ action: 'sync' })).toMatchObject(synced);
    expect(await device.ask({ action: 'sync', groups: [groupId, freshPrefix('g')] })).toMatchObject(synced);
    device.send({ action: 'sync' });
    await eventually(() => expect(device.frames()).toContainEqual({ ...synced, ref: null }));
    device.socket.close();
  });

  test('mark, delivered and unread do what their routes do, and answer as these', async () => {
    const { groupId, bob } = await aGroup();
    const device = await connect(bob);
    const answers = [
      await device.ask({ action: 'delivered', groupId, messageId: '1' }),
      await device.ask({ action: 'mark', groupId, messageId: '2' }),
      await device.ask({ action: 'unread', groupId, messageId: '2' }),
      await device.ask({ action: 'mark', groupId, messageId: '3', ifRevision: 0 }),
    ];
    expect(answers).toMatchObject([
      { type: 'answer', status: 200, body: { groupId, userId: bob, messageId: '1', advanced: true } },
      {
        status: 200,
        body: {
          messageId: '2',
          advanced: true,
          unread: { count: 1, mentions: 0, firstId: '3', exact: true },
        },
      },
      {
        status: 200,
        body: { messageId: '1', revision: 1, unread: { count: 2, mentions: 0, firstId: '2', exact: true } },
      },
      { status: 409, body: { code: 'revision_conflict', messageId: '1', revision: 1, advanced: true } },
    ]);
    const { body } = await stack.asUser(bob, 'GET', `/v1/groups/${groupId}/watermark`);
    expect(body).toMatchObject({ messageId: '1', revision: 1 });
    device.socket.close();
  });

  test('what a route refuses has its status and its problem', async () => {
    const { groupId, bob } = await aGroup();
    const device = await connect(bob);
    const route = `/v1/groups/${groupId}/watermark`;
    for (const body of [{ messageId: '0' }, { messageId: '1', nonsense: 1 }, {}]) {
      const { body: problem, status } = await stack.asUser(bob, 'PUT', route, body);
      const answer = await device.ask({ action: 'mark', groupId, ...body });
      const expected = { ...(problem as object), requestId: expect.any(String) };
      expect(answer).toEqual({ type: 'answer', ref: expect.any(Number), status, body: expected });
    }
    const stranger = await device.ask({ action: 'mark', groupId: freshPrefix('g'), messageId: '1' });
    expect(stranger).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await device.ask({ action: 'mark', groupId: 'no id', messageId: '1' })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'groupId' }] },
    });
    device.socket.close();
  });

  const ACTIONS = [
    ['mark', { messageId: '1' }],
    ['delivered', { messageId: '1' }],
    ['unread', { messageId: '1' }],
  ] as const;

  test.each(ACTIONS)(
    "%s in somebody else's group is answered as in none, and pushes nothing",
    async (action, fields) => {
      const { groupId, alice, bob } = await aGroup();
      const [stranger, former, ofAlice] = [
        await connect(freshPrefix('dave')),
        await connect(bob),
        await connect(alice),
      ];
      expect((await stack.asService('DELETE', `/v1/groups/${groupId}/members/${bob}`)).status).toBe(204);
      const refused = { status: 404, body: { code: 'not_found', requestId: expect.any(String) } };
      const unknown = await stranger.ask({ action, groupId: freshPrefix('g'), ...fields });
      expect(unknown).toMatchObject(refused);
      for (const device of [stranger, former]) {
        const answer = await device.ask({ action, groupId, ...fields });
        const { body } = unknown as unknown as { readonly body: object };
        expect(answer).toMatchObject({ status: 404, body: { ...body, requestId: expect.any(String) } });
        expect(device.frames().filter(({ type }) => type !== 'answer')).toEqual([]);
      }
      expect(ofAlice.frames()).toEqual([]);
      const { body: receipts } = await stack.asUser(alice, 'POST', `/v1/groups/${groupId}/receipts`, {
        messageIds: ['1'],
      });
      expect(receipts).toMatchObject({ receipts: [{ audience: 1, readCount: 0, deliveredCount: 0 }] });
      for (const { socket } of [stranger, former, ofAlice]) socket.close();
    },
  );

  test('sync has no view of a group that the user is not in, named or not', async () => {
    const { groupId, bob } = await aGroup();
    const stranger = await connect(freshPrefix('dave'));
    for (const groups of [undefined, [groupId], [groupId, freshPrefix('g')]]) {
      expect(await stranger.ask({ action: 'sync', ...(groups && { groups }) })).toMatchObject({
        type: 'synced',
        views: [],
        complete: true,
      });
    }
    const device = await connect(bob);
    expect(await device.ask({ action: 'sync', groups: [groupId] })).toMatchObject({ views: [{ groupId }] });
    for (const { socket } of [stranger, device]) socket.close();
  });

  test('a ping is answered', async () => {
    const device = await connect(freshPrefix('dave'));
    device.send({ action: 'ping' });
    await eventually(() => expect(device.frames()).toEqual([{ type: 'pong' }]));
    device.socket.close();
  });

  test.each([
    ['text that is no JSON', 'hello', {}],
    ['JSON that is no object', '[1]', {}],
    ['an unknown action', { action: 'shout', ref: 'r' }, { ref: 'r' }],
    ['no action', { ref: 7 }, { ref: 7 }],
    ['a mark without ref', { action: 'mark', groupId: 'g', messageId: '1' }, {}],
    ['a ref that is none', { action: 'sync', ref: {} }, {}],
    ['an unknown field', { action: 'sync', ref: 'r', more: 1 }, { ref: 'r' }],
    ['too many groups', { action: 'sync', ref: 'r', groups: Array(101).fill('g') }, { ref: 'r' }],
  ])('%s gets an error, and changes nothing', async (_, frame, ref) => {
    const device = await connect(freshPrefix('dave'));
    device.send(frame);
    const expected = { type: 'error', code: 'invalid_request', detail: expect.any(String), ...ref };
    await eventually(() => expect(device.frames()).toEqual([expected]));
    expect(device.socket.readyState).toBe(WebSocket.OPEN);
    device.socket.close();
  });

  test('one that is too large closes the connection', async () => {
    const device = await connect(freshPrefix('dave'));
    device.send({ action: 'sync', ref: 'r'.repeat(33_000) });
    expect(await device.closed).toMatchObject({ code: 1009 });
  });

  test('one after the end of the token changes nothing: it gets an error, and the connection is closed', async () => {
    const { groupId, bob } = await aGroup();
    const device = await connectWith(await tokenFor(bob, 3));
    const expired = Date.now() + 3_000;
    await eventually(() => expect(Date.now()).toBeGreaterThan(expired));
    device.send({ action: 'mark', ref: 'late', groupId, messageId: '3' });
    await device.closed;
    expect(device.frames().at(-1)).toMatchObject({ type: 'error', code: 'token_expired' });
    expect((await stack.asUser(bob, 'GET', `/v1/groups/${groupId}/watermark`)).body).toMatchObject({
      messageId: null,
    });
  });
});

describe('pushes', () => {
  const ofType = <Type extends ServerFrame['type']>(device: Device, type: Type) =>
    device.frames().filter((frame) => frame.type === type) as Extract<ServerFrame, { type: Type }>[];

  test('a mark reaches the other devices of the reader, and the sender as receipts, and nobody else', async () => {
    const { groupId, alice, bob, carol } = await aGroup();
    const [phone, laptop, ofAlice, ofCarol, ofStranger] = [
      await connect(bob),
      await connect(bob),
      await connect(alice),
      await connect(carol),
      await connect(freshPrefix('dave')),
    ];
    await phone.ask({ action: 'mark', groupId, messageId: '2' });
    await eventually(() => {
      for (const device of [phone, laptop]) {
        expect(ofType(device, 'view').at(-1)).toEqual({
          type: 'view',
          asOf: expect.any(Number),
          groupId,
          messageId: '2',
          revision: 0,
          head: '3',
          unread: { count: 1, mentions: 0, firstId: '3', exact: true },
          ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
          preferencesRevision: 0,
        });
      }
      expect(ofType(ofAlice, 'receipts').at(-1)).toEqual({
        type: 'receipts',
        asOf: expect.any(Number),
        groupId,
        receipts: [
          { messageId: '2', audience: 2, readCount: 1, deliveredCount: 1 },
          { messageId: '1', audience: 2, readCount: 1, deliveredCount: 1 },
        ],
      });
    });
    expect([ofCarol.frames(), ofStranger.frames()]).toEqual([[], []]);
    for (const { socket } of [phone, laptop, ofAlice, ofCarol, ofStranger]) socket.close();
  });

  test('where nobody may see receipts, a mark reaches the own devices alone', async () => {
    const [{ groupId, alice, bob }, shown] = [await aGroup(), await aGroup()];
    const policy = { receipts: 'off' };
    expect((await stack.asService('PUT', `/v1/groups/${groupId}`, policy)).status).toBe(200);
    const [ofBob, ofAlice, ofOther] = [await connect(bob), await connect(alice), await connect(shown.alice)];
    await stack.asUser(bob, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: '2' });
    await eventually(() => expect(ofType(ofBob, 'view').at(-1)).toMatchObject({ groupId, messageId: '2' }));
    // A later mark in a group whose senders get receipts.
    await stack.asUser(shown.bob, 'PUT', `/v1/groups/${shown.groupId}/watermark`, { messageId: '2' });
    await eventually(() => expect(ofType(ofOther, 'receipts')).toHaveLength(1));
    expect(ofAlice.frames()).toEqual([]);
    for (const { socket } of [ofBob, ofAlice, ofOther]) socket.close();
  });

  test('of many marks at once the last state arrives, in few frames', async () => {
    const { groupId, alice, bob } = await aGroup();
    for (let id = 4; id <= 30; id += 1) {
      await stack.asService('POST', `/v1/groups/${groupId}/messages`, {
        messageId: String(id),
        senderId: alice,
      });
    }
    const [ofBob, ofAlice] = [await connect(bob), await connect(alice)];
    const marks = 25;
    for (let id = 1; id <= marks; id += 1) {
      await stack.asUser(bob, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: String(id) });
    }
    await eventually(() => {
      expect(ofType(ofBob, 'view').at(-1)).toMatchObject({
        messageId: '25',
        unread: { count: 5, mentions: 0, firstId: '26', exact: true },
      });
      const ids = ofType(ofAlice, 'receipts').flatMap(({ receipts }) =>
        receipts.map(({ messageId }) => messageId),
      );
      expect(ids).toContain('25');
    });
    expect(ofType(ofBob, 'view').length).toBeLessThan(marks);
    expect(ofType(ofAlice, 'receipts').length).toBeLessThan(marks);
    for (const { socket } of [ofBob, ofAlice]) socket.close();
  });

  test('a private read and marking unread reach the own devices alone', async () => {
    const { groupId, alice, bob } = await aGroup();
    const [own, ofAlice] = [await connect(bob), await connect(alice)];
    await stack.asUser(bob, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: '3', private: true });
    await eventually(() => expect(ofType(own, 'view').at(-1)).toMatchObject({ messageId: '3', revision: 0 }));
    await stack.asUser(bob, 'POST', `/v1/groups/${groupId}/unread`, { messageId: '2' });
    await eventually(() => expect(ofType(own, 'view').at(-1)).toMatchObject({ messageId: '1', revision: 1 }));
    // What Alice gets now is of this public mark: anything of the private one would have come before it.
    await stack.asUser(bob, 'PUT', `/v1/groups/${groupId}/delivered`, { messageId: '1' });
    await eventually(() => expect(ofType(ofAlice, 'receipts')).toHaveLength(1));
    expect(ofType(ofAlice, 'receipts')).toMatchObject([
      { receipts: [{ messageId: '1', readCount: 0, deliveredCount: 1 }] },
    ]);
    for (const { socket } of [own, ofAlice]) socket.close();
  });

  test('sending clears the badge on the sender’s other devices', async () => {
    const { groupId, bob } = await aGroup();
    const device = await connect(bob);
    await stack.asService('POST', `/v1/groups/${groupId}/messages`, { messageId: '4', senderId: bob });
    await eventually(() =>
      expect(ofType(device, 'view').at(-1)).toMatchObject({
        messageId: '4',
        unread: { count: 0, mentions: 0, firstId: null, exact: true },
      }),
    );
    device.socket.close();
  });

  test('end for someone who has left', async () => {
    const { groupId, alice, bob, carol } = await aGroup();
    const [ofAlice, ofBob] = [await connect(alice), await connect(bob)];
    await stack.asService('DELETE', `/v1/groups/${groupId}/members/${alice}`);
    await stack.asUser(carol, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: '3' });
    await stack.asUser(bob, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: '3' });
    await eventually(() => expect(ofType(ofBob, 'view')).not.toEqual([]));
    expect(ofAlice.frames()).toEqual([]);
    for (const { socket } of [ofAlice, ofBob]) socket.close();
  });
});
