import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listenOnLoopback } from '../local/http/loopback.ts';
import { forward } from './forward.ts';

/** Stands before the services of AWS that functions call, and counts the messages that they put on queues. */
export interface MeteredAws {
  readonly messagesQueued: number;
  /** Forwards to a URL from now on. Returns the address to use in its place. */
  standBefore(url: string): string;
  stop(): Promise<void>;
}

export async function startMeteredAws(): Promise<MeteredAws> {
  let target = '';
  let messagesQueued = 0;
  const server = createServer(async (request, response) => {
    if (request.headers['x-amz-target'] === 'AmazonSQS.SendMessage') messagesQueued += 1;
    // With its own `host`, which is part of what the caller has signed.
    await forward(target, request, await buffer(request), request.headers, response);
  });
  const listening = await listenOnLoopback(server);
  return {
    get messagesQueued() {
      return messagesQueued;
    },
    standBefore(url) {
      target = url;
      return listening.url;
    },
    stop: () => listening.close(),
  };
}
