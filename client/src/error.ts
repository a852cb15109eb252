/** The codes of the service's problems, and `network`: no answer came, or one that is not the service's. */
export type ErrorCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'forbidden'
  | 'receipts_off'
  | 'not_found'
  | 'revision_conflict'
  | 'conflict'
  | 'too_large'
  | 'throttled'
  | 'internal'
  | 'unavailable'
  | 'network';

/** An error's body (RFC 9457). That of a `revision_conflict` also has the fields of the answer to a mark. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly requestId: string;
  /** What is wrong with the request, for `invalid_request`. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly [field: string]: unknown;
}

/** For the gateway's own answers, which have no code. */
const CODE_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  413: 'too_large',
  429: 'throttled',
  503: 'unavailable',
};

/** A call that failed. */
export class TidemarkError extends Error {
  /** The HTTP status; 0 if no answer came. */
  declare readonly status: number;
  declare readonly code: ErrorCode;
  /** Null if the answer is the gateway's, or there is none. */
  declare readonly problem: Problem | null;
  /** In seconds; null if the answer has no `Retry-After`. */
  declare readonly retryAfter: number | null;

  constructor(
    status: number,
    body: Partial<Problem> | null,
    retryAfter: number | null = null,
    options?: ErrorOptions,
  ) {
    const problem = body?.code ? (body as Problem) : null;
    const code = body ? (problem?.code ?? CODE_BY_STATUS[status] ?? 'internal') : 'network';
    super(`${code}: ${problem?.detail ?? status}`, options);
    Object.assign(this, { name: 'TidemarkError', status, code, problem, retryAfter });
  }
}

/** Whether the same call may succeed later. That is assumed of errors that are not the service's, such as the token callback's. */
export function isTemporary(error: unknown): boolean {
  if (!(error instanceof TidemarkError)) return true;
  const { code, status } = error;
  return code === 'network' || status >= 500 || status === 401 || status === 429;
}
