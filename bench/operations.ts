/** What is measured, through the stack and against the engines alike. The costly one comes last: its events linger. */
export const operations = ['read the watermark', 'mark, nothing new', 'mark, forward'] as const;

export type Operation = (typeof operations)[number];

/** Whether events of it are still being delivered when its calls have been answered. */
export const leavesEvents = (operation: Operation): boolean => operation === 'mark, forward';

/** What the floor is asked over its channel; it answers each with a round. */
export interface FloorRequest {
  readonly operation: Operation;
  readonly callers: number;
  readonly bounds: { readonly calls: number; readonly ms: number };
}

/** Where the engines are, and whose memberships the floor may move: one user for each caller. */
export interface FloorSetting {
  readonly upstash: { readonly url: string; readonly token: string };
  /** DynamoDB Local itself, and the access key that owns its database. */
  readonly engine: {
    readonly endpoint: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  readonly groupId: string;
  readonly userIds: readonly string[];
}
