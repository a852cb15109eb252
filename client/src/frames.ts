import type { InboxGroup } from './answers.ts';

/* The frames of the WebSocket API that the client uses. A test holds them equal to those of the service's contract. */

export type ClientFrame =
  | { action: 'sync'; ref: number; groups?: readonly string[] | undefined }
  | { action: 'ping' };

export type ServerFrame =
  | { type: 'synced'; ref: string | number | null; asOf: number; views: InboxGroup[]; complete: boolean }
  | ({ type: 'view'; asOf: number } & InboxGroup)
  | {
      type: 'receipts';
      asOf: number;
      groupId: string;
      receipts: { messageId: string; audience: number; readCount: number; deliveredCount: number }[];
    }
  | { type: 'pong' }
  | {
      type: 'error';
      code: 'invalid_request' | 'too_large' | 'unavailable' | 'internal' | 'token_expired';
      detail: string;
      ref?: string | number | undefined;
    };
