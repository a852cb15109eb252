import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';

async function listening(server: Listening, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    await server.close();
  }
}

test('a server answers on the port that it got, and to this machine alone', async () => {
  const server = await listenOnLoopback(createServer((_request, response) => response.end('here')));
  await listening(server, async () => {
    expect(await (await fetch(server.url)).text()).toBe('here');
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((address) => address !== undefined && address.family === 'IPv4' && !address.internal);
    for (const other of others)
      await expect(fetch(`http://${other?.address}:${server.port}`)).rejects.toThrow();
  });
});

test('closing ends every connection, also in the middle of a request, and may be repeated', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const server = await listenOnLoopback(createServer(() => resolve()));
  const answer = fetch(server.url).then(
    () => 'answered',
    () => 'broken off',
  );
  await asked;
  await server.close();
  expect(await answer).toBe('broken off');
  await server.close();
});

test('a server of TCP closes with its connections too', async () => {
  const server = await listenOnLoopback(createTcpServer());
  const ended = Promise.withResolvers<void>();
  const socket = connect(server.port, '127.0.0.1');
  socket.once('close', () => ended.resolve());
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  await server.close();
  await ended.promise;
});

test("a port that is taken is the system's error", async () => {
  const first = await listenOnLoopback(createServer());
  await listening(first, async () => {
    await expect(listenOnLoopback(createServer(), first.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
