import { randomUUID } from 'node:crypto';
import type { QueuedEvent } from './event-queue.ts';

/** The text of a queue's message with a job. It has the shape of an event, which `eventQueue` reads. */
export function jobMessage(type: string, detail: object): string {
  return JSON.stringify({ id: randomUUID(), 'detail-type': type, detail });
}

/** The fields of a job of this type, unchecked. A message of another type has none of them. */
export function jobDetail(event: QueuedEvent, type: string): Readonly<Record<string, unknown>> {
  const detail = event['detail-type'] === type ? event.detail : null;
  return (detail ?? {}) as Readonly<Record<string, unknown>>;
}
