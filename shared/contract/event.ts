import type * as v from 'valibot';
import type { eventDetails } from './event-details.ts';

/** The source of every event that Tidemark puts on the bus. */
export const SOURCE = 'tidemark';

/** The version of every event's detail. */
export const VERSION = '1';

type Details = typeof eventDetails;

/** An event that Tidemark publishes: its type, and the fields of its detail. */
export type TidemarkEvent = {
  [Type in keyof Details]: { readonly type: Type } & Readonly<v.InferOutput<Details[Type]>>;
}[keyof Details];
