/*
 * The names of the functions' environment variables. infra sets them and the functions read them. They are separate
 * constants, so that a bundle holds only those that its function reads.
 */

/** The name of the ledger's table. */
export const TABLE_NAME = 'TABLE_NAME';
/** The name of the index that lists the members of a group. */
export const MEMBERS_INDEX_NAME = 'MEMBERS_INDEX_NAME';
/** The name of the index that lists messages by the time of their reminder. */
export const REMINDERS_INDEX_NAME = 'REMINDERS_INDEX_NAME';
/** How many days a message stays in the ledger after it was recorded. */
export const MESSAGE_RETENTION_DAYS = 'MESSAGE_RETENTION_DAYS';
/** The ARN of the secret that holds the URL and the token of the cache. */
export const UPSTASH_SECRET_ARN = 'UPSTASH_SECRET_ARN';
/** `strict` or `open`. */
export const MEMBERSHIP = 'MEMBERSHIP';
/** The scope of a user's token. It is absent if a user's token needs none. */
export const USER_SCOPE = 'USER_SCOPE';
/** The scope of a back end's token. It is absent if back ends sign their calls. */
export const SERVICE_SCOPE = 'SERVICE_SCOPE';
/** The bus that events are published on. It is absent in a deployment without events. */
export const EVENT_BUS_NAME = 'EVENT_BUS_NAME';
/** The URL of the queue that the function reads. */
export const QUEUE_URL = 'QUEUE_URL';
/** The URL of the dead-letter queue that the function itself sends to. */
export const DEAD_LETTER_QUEUE_URL = 'DEAD_LETTER_QUEUE_URL';
/** JSON, `[{ issuer, audience: [...], keysUrl? }]`: whose tokens open a connection. Without `keysUrl` the issuer is asked for it. */
export const TOKEN_ISSUERS = 'TOKEN_ISSUERS';
/** Where frames are posted to connections. It is absent in a deployment without the WebSocket API. */
export const CONNECTIONS_URL = 'CONNECTIONS_URL';
/** The URL of the queue of frames that are due in a moment. */
export const FRAMES_QUEUE_URL = 'FRAMES_QUEUE_URL';
/** The URL of the queue of reminders that are due. */
export const REMINDERS_QUEUE_URL = 'REMINDERS_QUEUE_URL';
/** The URL of the queue of erasures. */
export const ERASURES_QUEUE_URL = 'ERASURES_QUEUE_URL';
/** The URL that events are posted to. */
export const WEBHOOK_URL = 'WEBHOOK_URL';
/** The ARN of the secret that signs the posts to the webhook. */
export const WEBHOOK_SECRET_ARN = 'WEBHOOK_SECRET_ARN';
