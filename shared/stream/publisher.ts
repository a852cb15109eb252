import { Readable } from 'node:stream';
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { HttpRequest, HttpResponse } from '@smithy/core/transport';
import { SOURCE, type TidemarkEvent, VERSION } from '../contract/event.ts';
import { loggedError } from '../domain/logged-error.ts';

/** The most entries that EventBridge takes in one call. */
const MAX_ENTRIES = 10;

/** Puts events on the bus, and tells which of them the bus did not take. */
export interface Publisher {
  /** Publishes in order. Resolves to those of the events that the bus did not take. */
  publish(events: readonly TidemarkEvent[]): Promise<readonly TidemarkEvent[]>;
}

export interface Bus extends Publisher {
  /** Connects and runs the code of a call ahead of the first one. The bus is given nothing. */
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
 * Makes a call up to where it would be sent, and asks the bus's host in its place whether it is well: AWS's hosts answer
 * that to everybody. Any answer will do, since it opens the connection. The call itself goes nowhere.
 */
async function rehearseCall(client: EventBridgeClient): Promise<void> {
  const command = new PutEventsCommand({ Entries: [] });
  command.middlewareStack.addRelativeTo(
    () => async (args: { request?: unknown }) => {
      const call = args.request as HttpRequest;
      const { response } = await client.config.requestHandler.handle(
        new HttpRequest({ ...call, method: 'GET', path: '/ping', headers: {}, body: undefined }),
      );
      // Until its body has been read, the connection is not free.
      (response.body as Readable).resume();
      const body = Readable.from(['{"FailedEntryCount":0,"Entries":[]}']);
      return { response: new HttpResponse({ statusCode: 200, headers: {}, body }) };
    },
    { relation: 'after', toMiddleware: 'deserializerMiddleware' },
  );
  await client.send(command);
}

/** Publishes events, each with what it came from, and tells what those came from that the bus did not take. */
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
