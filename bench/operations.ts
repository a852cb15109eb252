/** The operations to measure, on the stack and on the engines. The costly one is last, because its events take longer. */
export const operations = ['read the watermark', 'mark, nothing new', 'mark, forward'] as const;

export type Operation = (typeof operations)[number];

/** Whether its events are still being delivered after its calls are answered. */
export const leavesEvents = (operation: Operation): boolean => operation === 'mark, forward';

/** A message to the floor. It answers each with a round. */
export interface FloorRequest {
  readonly operation: Operation;
  readonly callers: number;
  readonly bounds: { readonly calls: number; readonly ms: number };
}

/** The addresses of the engines, and the users whose memberships the floor may move: one for each caller. */
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
