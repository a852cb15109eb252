import { shortened } from './shortened.ts';

/** The errors that a caller can get. shared/contract/problems.ts gives each code its status. */
export type ErrorCode =
  | 'invalid_request'
  | 'forbidden'
  | 'receipts_off'
  | 'not_found'
  | 'revision_conflict'
  | 'conflict'
  | 'too_large'
  | 'unavailable';

export interface InvalidField {
  readonly path: string;
  readonly message: string;
}

/** An error lists at most this many faults and counts the others. */
const MAX_FAULTS = 20;

/**
 * In bytes of JSON. Paths and messages may contain text of the caller. The detail has room for every listed fault, and
 * the whole answer stays below 16 KiB (functions/runtime/problem.ts).
 */
const MAX_PATH_BYTES = 128;
const MAX_MESSAGE_BYTES = 160;
const MAX_DETAIL_BYTES = 6_144;

/**
 * An error whose code and detail are meant for the caller. Any other error is a fault of the service. Detail and fields
 * are bounded here, so that neither an answer nor a log line grows with the request.
 */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
  /** At most 20. */
  readonly fields: readonly InvalidField[];
  /** Further fields of the answer, beside the problem itself. */
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

/** No such group for this caller. Both reasons have the same text, so that nobody can find out which groups exist. */
export function notFound(who: 'you are' | 'the user is'): TidemarkError {
  return new TidemarkError('not_found', `There is no such group, or ${who} not a member of it.`);
}

/** The caller is a member, so the answer may show that the group exists. */
export function messageNotFound(): TidemarkError {
  return new TidemarkError('not_found', 'There is no such message, or it was deleted.');
}

/** The group's policy leaves no receipts for this caller, who is a member. */
export function receiptsOff(): TidemarkError {
  return new TidemarkError('receipts_off', 'The receipts of this group are not for this caller.');
}

/** The mark moved what others see. The own view stays: the member marked it unread in the meantime. */
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

/** The group has another parent. Nothing has changed. */
export function parentConflict(): TidemarkError {
  return new TidemarkError('conflict', 'The parent of a group is set once, and this group has another one.');
}

/** The detail lists the first 20 faults and counts the others. */
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

/**
 * The ledger refused the call or did not answer, a membership changed too fast, or the function's deadline passed. Nothing
 * was acknowledged, but a write under way may have been made.
 */
export function unavailable(cause: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'The service cannot take this request right now. Please retry.', {
    cause,
  });
}

/** Whether trying again later may help. Such a failure is a warning in the log; any other is an error. */
export function isUnavailable(error: unknown): error is TidemarkError {
  return error instanceof TidemarkError && error.code === 'unavailable';
}
