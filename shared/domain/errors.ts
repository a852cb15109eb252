/** What can go wrong from a caller's point of view. shared/http maps each code to its status. */
export type ErrorCode = 'invalid_request' | 'forbidden' | 'not_found' | 'too_large' | 'unavailable';

export interface InvalidField {
  readonly path: string;
  readonly message: string;
}

/** An error whose code and detail are meant for the caller. Anything else thrown is a fault of ours. */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly fields: readonly InvalidField[];

  constructor(
    code: ErrorCode,
    detail: string,
    options: { cause?: unknown; fields?: readonly InvalidField[] } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.fields = options.fields ?? [];
  }
}

/** No such group for this caller. One text for both reasons, so that groups cannot be probed. */
export function notFound(): TidemarkError {
  return new TidemarkError('not_found', 'There is no such group, or you are not a member of it.');
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
