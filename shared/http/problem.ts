import { type ErrorCode, type InvalidField, TidemarkError } from '../domain/errors.ts';

/** The status and title of every code of the contract that a function answers with. */
const PROBLEMS: Record<ErrorCode | 'internal', { readonly status: number; readonly title: string }> = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  forbidden: { status: 403, title: 'Not allowed' },
  not_found: { status: 404, title: 'Not found' },
  revision_conflict: { status: 409, title: 'The revision is not the current one' },
  conflict: { status: 409, title: 'In conflict with what is known' },
  too_large: { status: 413, title: 'The request is too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
};

const RETRY_AFTER_SECONDS = 1;

export interface Answer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The problem (RFC 9457) that an error is to a caller. A fault of ours tells nothing of the inside. */
export function problemAnswer(error: unknown, requestId: string): Answer {
  const known = error instanceof TidemarkError ? error : null;
  const code = known?.code ?? 'internal';
  const { status, title } = PROBLEMS[code];
  const detail =
    known?.message ?? 'The request failed. It is not known whether it took effect; it may be repeated.';
  return {
    statusCode: status,
    headers: {
      'content-type': 'application/problem+json',
      ...(code === 'unavailable' && { 'retry-after': String(RETRY_AFTER_SECONDS) }),
    },
    body: JSON.stringify({
      type: 'about:blank',
      title,
      status,
      code,
      detail,
      requestId,
      ...(code === 'invalid_request' && { errors: fieldsOf(known) }),
      ...known?.state,
    }),
  };
}

function fieldsOf(error: TidemarkError | null): readonly InvalidField[] {
  if (!error) return [];
  return error.fields.length > 0 ? error.fields : [{ path: '', message: error.message }];
}
