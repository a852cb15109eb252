import type { Person } from './people.ts';

/* What the chat of the page sends to each device. */

/** The most characters of a message. */
export const MOST_CHARACTERS = 2_000;

export interface Member {
  readonly userId: Person;
  /** The newest message before the member joined; null for a member from the start. */
  readonly joinedAfter: string | null;
}

export interface Message {
  readonly messageId: string;
  readonly senderId: Person;
  readonly text: string;
  readonly sentAt: string;
  /** Chosen by the sender's device. A message that is sent twice under one key is one message. */
  readonly key: string;
  /** The message of the chat whose thread this one is in; absent in the chat itself. */
  readonly threadOf?: string;
}

/** All members, and the messages that the device does not have yet, oldest first; or why the chat does not work. */
export type FeedFrame =
  | {
      readonly members: readonly Member[];
      readonly messages: readonly Message[];
      /** The members were not members in Tidemark any more, and are again. */
      readonly isRestored?: true;
    }
  | { readonly problem: string };
