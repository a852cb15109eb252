import { createServer } from 'node:http';
import { listenOnLoopback } from '../../local/http/loopback.ts';

/** A port that was free a moment ago, for a program that has to be given one. */
export async function freePort(): Promise<number> {
  const { port, close } = await listenOnLoopback(createServer());
  await close();
  return port;
}
