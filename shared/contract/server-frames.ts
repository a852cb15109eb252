import * as v from 'valibot';
import type { ErrorCode } from '../domain/errors.ts';
import { inboxPage } from './answers.ts';
import { MAX_RECEIPTS, MAX_VIEWS, ref } from './frames.ts';
import { count, groupId, messageId } from './values.ts';

/*
 * What the service sends over a WebSocket. The functions use the types alone: the schemas are for the documents and the
 * tests, and stay out of the bundles.
 */

const FRAME_ERROR_CODES = [
  'invalid_request',
  'too_large',
  'unavailable',
  'internal',
  'token_expired',
] as const satisfies readonly (ErrorCode | 'internal' | 'token_expired')[];

/** The codes of an `error` frame. */
export type FrameErrorCode = (typeof FRAME_ERROR_CODES)[number];

const asOf = v.pipe(
  v.number(),
  v.integer(),
  v.description(
    'When the state was read, in milliseconds since 1970, by the clock of the function that read it. Of two frames about the same, the larger one counts',
  ),
);

/** Where the own view of one group stands, as in the inbox. Of two, the larger (revision, messageId, preferencesRevision, asOf)
 * counts. */
const view = inboxPage.entries.groups.item.entries;

/** Every frame that the service sends, by its `type`. */
export const serverFrames = {
  synced: v.pipe(
    v.strictObject({
      type: v.literal('synced'),
      ref: v.pipe(v.nullable(ref), v.description('Null if the client sent none')),
      asOf,
      views: v.pipe(
        v.array(v.strictObject(view)),
        v.maxLength(MAX_VIEWS),
        v.description(
          'If the frame is complete, a named group that is absent is one that the user is not a member of',
        ),
      ),
      complete: v.pipe(
        v.boolean(),
        v.description(
          'True if no group is left out: every named group, or every group with something unread, is here',
        ),
      ),
    }),
    v.description('Answers `sync`'),
  ),
  answer: v.pipe(
    v.strictObject({
      type: v.literal('answer'),
      ref,
      status: v.pipe(v.number(), v.integer()),
      body: v.pipe(v.record(v.string(), v.unknown()), v.description('The body of the HTTP route')),
    }),
    v.description('Answers `mark`, `delivered` and `unread`: status and body are those of the HTTP route'),
  ),
  pong: v.pipe(v.strictObject({ type: v.literal('pong') }), v.description('Answers `ping`')),
  error: v.pipe(
    v.strictObject({
      type: v.literal('error'),
      code: v.pipe(
        v.picklist(FRAME_ERROR_CODES),
        v.description('After `token_expired` the connection is closed'),
      ),
      detail: v.string(),
      ref: v.optional(ref),
    }),
    v.description('The frame was refused, and nothing changed'),
  ),
  view: v.pipe(
    v.strictObject({ type: v.literal('view'), asOf, ...view }),
    v.description('The own view moved, or the preferences changed, here or on another device'),
  ),
  receipts: v.pipe(
    v.strictObject({
      type: v.literal('receipts'),
      asOf,
      groupId,
      receipts: v.pipe(
        v.array(v.strictObject({ messageId, audience: count, readCount: count, deliveredCount: count })),
        v.maxLength(MAX_RECEIPTS),
      ),
    }),
    v.description('Messages that this user sent were newly read or delivered: the newest of them'),
  ),
};

type Frames = typeof serverFrames;

/** A frame that the service sends. */
export type ServerFrame = { [Type in keyof Frames]: v.InferOutput<Frames[Type]> }[keyof Frames];
