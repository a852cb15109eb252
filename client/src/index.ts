export type * from './answers.ts';
export {
  createServiceApi,
  createUserApi,
  type Mark,
  type ServiceApi,
  type ServiceCalls,
  type UserApi,
  type UserCalls,
} from './api.ts';
export type { WebSocketConstructor } from './connection.ts';
export { type ErrorCode, type Problem, TidemarkError } from './error.ts';
export { LARGEST_ID } from './message-id.ts';
export type { MarkStorage } from './outbox.ts';
export type { PageElement } from './page.ts';
export type { Badge, Connection, Receipt, Snapshot, View } from './store.ts';
export { createTidemark, type Interest, type Tidemark, type TidemarkOptions } from './tidemark.ts';
export type { DroppedMark, Tracker } from './tracker.ts';
export type { ApiOptions, CallOptions, Fetch, TokenSource } from './transport.ts';
