import { shortened } from './shortened.ts';

/** What can go wrong from a caller's point of view. shared/contract/problems.ts gives each code its status. */
export type ErrorCode =
  | 'invalid_request'
  | 'forbidden'
  | 'not_found'
  | 'revision_conflict'
  | 'conflict'
  | 'too_large'
  | 'unavailable';

export interface InvalidField {
  readonly path: string;
  readonly message: string;
}

/** An error lists this many faults at most, and counts the others. */
const MAX_FAULTS = 20;

/**
 * Bytes in JSON. Paths and messages may hold what a caller sent. The detail has room for every listed fault, and the
 * whole answer stays below 16 KiB (functions/runtime/problem.ts).
 */
const MAX_PATH_BYTES = 128;
const MAX_MESSAGE_BYTES = 160;
const MAX_DETAIL_BYTES = 6_144;

/**
 * An error whose code and detail are meant for the caller. Anything else thrown is a fault of ours. Detail and fields
 * are bounded here, so that neither an answer nor a log line grows with what a caller sent.
 */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
  /** At most 20. */
  readonly fields: readonly InvalidField[];
  /** What the answer tells besides the problem itself. */
  readonly state: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    detail: string,
    options: {
      cause?: unknown;
      fields?: readonly InvalidField[];
      state?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(shortened(detail, MAX_DETAIL_BYTES), { cause: options.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.fields = listed(options.fields ?? []);
    this.state = options.state ?? {};
  }
}

/** No such group for this caller. One text for both reasons, so that groups cannot be probed. */
export function notFound(who: 'you are' | 'the user is'): TidemarkError {
  return new TidemarkError('not_found', `There is no such group, or ${who} not a member of it.`);
}

/** The caller is a member, so the group itself is no secret. */
export function messageNotFound(): TidemarkError {
  return new TidemarkError('not_found', 'There is no such message, or it was deleted.');
}

/** The mark moved what others see; the own view had been marked unread meanwhile, and stays so. */
export function revisionConflict(state: Readonly<Record<string, unknown>>): TidemarkError {
  return new TidemarkError(
    'revision_conflict',
    'ifRevision is not the current revision: the own view stays where it is.',
    { state },
  );
}

/** The message is known under another sender. Nothing has changed. */
export function senderConflict(): TidemarkError {
  return new TidemarkError('conflict', 'This message is known under another sender.');
}

/** The detail names the first 20 faults and says how many more there are. */
export function invalidFields(fields: readonly InvalidField[]): TidemarkError {
  const named = listed(fields);
  const faults = named.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  const more = fields.length - named.length;
  const detail = [...faults, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
  return new TidemarkError('invalid_request', detail, { fields: named });
}

function listed(fields: readonly InvalidField[]): InvalidField[] {
  return fields.slice(0, MAX_FAULTS).map(({ path, message }) => ({
    path: shortened(path, MAX_PATH_BYTES),
    message: shortened(message, MAX_MESSAGE_BYTES),
  }));
}

/** The ledger refused or did not answer: nothing was acknowledged. */
export function unavailable(cause: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'The service cannot take this request right now. Please retry.', {
    cause,
  });
}
