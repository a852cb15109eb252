/** What can go wrong from a caller's point of view. shared/http maps each code to its status. */
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

/** An error whose code and detail are meant for the caller. Anything else thrown is a fault of ours. */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
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
    super(detail, { cause: options.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.fields = options.fields ?? [];
    this.state = options.state ?? {};
  }
}

/** No such group for this caller. One text for both reasons, so that groups cannot be probed. */
export function notFound(): TidemarkError {
  return new TidemarkError('not_found', 'There is no such group, or you are not a member of it.');
}

/** The caller is a member, so the group itself is no secret. */
export function messageNotFound(): TidemarkError {
  return new TidemarkError('not_found', 'There is no such message, or it was deleted.');
}

/** The mark moved what others see; the own view had been marked unread meanwhile, and stays so. */
export function revisionConflict(state: Readonly<Record<string, unknown>>): TidemarkError {
  return new TidemarkError(
    'revision_conflict',
    'ifRevision is not the current revision: your own view stays where it is.',
    { state },
  );
}

/** The message is known under another sender. Nothing has changed. */
export function senderConflict(): TidemarkError {
  return new TidemarkError('conflict', 'This message is known under another sender.');
}

export function invalidFields(fields: readonly InvalidField[]): TidemarkError {
  const detail = fields.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  return new TidemarkError('invalid_request', detail, { fields });
}

/** The ledger refused or did not answer: nothing was acknowledged. */
export function unavailable(cause: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'The service cannot take this request right now. Please retry.', {
    cause,
  });
}
