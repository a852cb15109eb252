import type { Json, JsonObject } from './json-schema.ts';

/*
 * What the fields of requests and the parts of answers mean. The contract's schemas of requests go into the bundles, and no
 * function needs these words: so they stand here.
 */

/** The fields of bodies and the parameters, by their names: of one endpoint or part where the name is `Endpoint.field`. */
const FIELDS: Readonly<Record<string, string>> = {
  advanceSender:
    'False leaves the watermark of the sender where it is, for a message that the user did not write just now',
  archive:
    '`untilNew`: until a message comes that is not silent. `always`: until it is changed. Archived groups count in no badge',
  archived: 'True lists the archived groups alone; false or missing, the others alone',
  cursor: 'The `cursor` of the page before. Without it, the first page',
  delivered: 'Marks delivered only, not read. Then neither `private` nor `ifRevision` may be there',
  hideReceipts: 'True makes every reading and sending of the user private',
  limit: 'The most entries of the page',
  marks: 'Those of one group apply in their order',
  messageIds: 'The messages, in the order of the answer',
  messages: 'In the order of the answer',
  mutedUntil: 'The group is muted until then; null, or a time that has passed, means that it is not',
  notify:
    'Which messages to notify the user of, and to count in the badge: all, those that mention the user, or none',
  parentId: 'Only threads of this group',
  private: 'Moves nothing that others can see',
  receipts: 'Who may see the receipts of a message: the members, only its sender, or nobody',
  sentAt: 'When the message was sent; without it, now',
  silent: 'The message raises the head and is never unread',
  state:
    'Which members to list: those who have read the message, those who have not, or those who have received it',
  unmutedOnly: 'Leaves out muted groups and those with `notify: none`',
  unreadOnly: 'Leaves out groups without anything unread',
  'SetGroup.parentId':
    'The group that this one is a thread of; null for none. It is set once: another value later is a conflict',
};

/** The components that parts of others refer to, or whose lists have them as entries. */
const COMPONENTS: Readonly<Record<string, string>> = {
  ExportedHistory: 'What is kept of joinings and departures',
  ExportedMark: 'How far, and since when',
  ExportedMembership: 'What is stored of a user and a group',
  ExportedOwnView: "The member's own view",
  ExportedPreferences: 'What the member wants of the group',
  Fault: 'One fault of a request',
  InboxGroup: "A group of the user, with the user's own view of it",
  Mark: 'A mark in a batch',
  Member: 'A member and its public watermark',
  Message: 'A message in a batch',
  MessageStatus: 'Whether the caller has read a message',
  Receipt: 'A member in a list of receipts',
  RecordOutcome: 'What became of a message in a batch',
  Unread: 'What is unread above the own view',
  UserBadge: "A user's badge",
};

/**
 * What a field of an endpoint or a part means, in front of what its type says of itself. Undefined where neither has words.
 */
export function wordsOfField(owner: string, field: string, ofType: Json | undefined): string | undefined {
  const words = [FIELDS[`${owner}.${field}`] ?? FIELDS[field], ofType].filter((one) => one !== undefined);
  return words.length > 0 ? words.join('. ') : undefined;
}

/** Describes the component of a name, if its name and fields do not say what it is. */
export function withWords(name: string, schema: JsonObject): JsonObject {
  const description = COMPONENTS[name];
  return description === undefined ? schema : { description, ...schema };
}
