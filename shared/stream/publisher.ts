import { Readable } from 'node:stream';
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { HttpRequest, HttpResponse } from '@smithy/core/transport';
import { SOURCE, type TidemarkEvent, VERSION } from '../contract/event.ts';
import { loggedError } from '../domain/logged-error.ts';

/** The most entries that EventBridge accepts in one call. */
const MAX_ENTRIES = 10;

/** Puts events on the bus. */
export interface Publisher {
  /** Publishes in order. Resolves to the events that the bus did not accept. */
  publish(events: readonly TidemarkEvent[]): Promise<readonly TidemarkEvent[]>;
}

export interface Bus extends Publisher {
  /** Connects and runs the code of a call before the first one. Puts nothing on the bus. */
  rehearse(): Promise<void>;
}

export function createPublisher(client: EventBridgeClient, busName: string): Bus {
  return {
    async publish(events) {
      const failed: TidemarkEvent[] = [];
      for (let start = 0; start < events.length; start += MAX_ENTRIES) {
        const batch = events.slice(start, start + MAX_ENTRIES);
        failed.push(...(await putBatch(client, busName, batch)));
      }
      return failed;
    },
    rehearse: () => rehearseCall(client),
  };
}

/**
 * Runs a call up to the point where the SDK would send it, and sends `GET /ping` instead, which AWS's hosts answer
 * without credentials. Any answer is enough, since it opens the connection. The call itself is never sent.
 */
async function rehearseCall(client: EventBridgeClient): Promise<void> {
  const command = new PutEventsCommand({ Entries: [] });
  command.middlewareStack.addRelativeTo(
    () => async (args: { request?: unknown }) => {
      const call = args.request as HttpRequest;
      const { response } = await client.config.requestHandler.handle(
        new HttpRequest({ ...call, method: 'GET', path: '/ping', headers: {}, body: undefined }),
      );
      // The connection is free only after the body has been read.
      (response.body as Readable).resume();
      const body = Readable.from(['{"FailedEntryCount":0,"Entries":[]}']);
      return { response: new HttpResponse({ statusCode: 200, headers: {}, body }) };
    },
    { relation: 'after', toMiddleware: 'deserializerMiddleware' },
  );
  await client.send(command);
}

/** Publishes events, each with its sources. Returns the sources of the events that the bus did not accept. */
export async function publishFrom<T>(
  publisher: Publisher,
  sources: ReadonlyMap<TidemarkEvent, readonly T[]>,
): Promise<Set<T>> {
  const refused = await publisher.publish([...sources.keys()]);
  return new Set(refused.flatMap((event) => sources.get(event) ?? []));
}

async function putBatch(
  client: EventBridgeClient,
  busName: string,
  events: readonly TidemarkEvent[],
): Promise<readonly TidemarkEvent[]> {
  try {
    const { Entries = [] } = await client.send(
      new PutEventsCommand({ Entries: events.map((event) => entryOf(event, busName)) }),
    );
    const failed = events.filter((_, index) => !Entries[index]?.EventId);
    if (failed.length > 0)
      console.error({
        message: 'the bus refused events',
        refused: Entries.filter((entry) => entry.ErrorCode),
      });
    return failed;
  } catch (error) {
    console.error({
      message: 'the bus did not take events',
      count: events.length,
      error: loggedError(error),
    });
    return events;
  }
}

function entryOf({ type, ...detail }: TidemarkEvent, busName: string) {
  return {
    EventBusName: busName,
    Source: SOURCE,
    DetailType: type,
    Detail: JSON.stringify({ version: VERSION, ...detail }),
  };
}
