import type { ErrorCode } from '../domain/errors.ts';

export interface Problem {
  readonly status: number;
  readonly title: string;
}

/** The problems in the answers of functions. Every error code of the domain has one. */
export const FUNCTION_PROBLEMS: Readonly<Record<ErrorCode | 'internal', Problem>> = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  forbidden: { status: 403, title: 'Not allowed' },
  receipts_off: { status: 403, title: 'Receipts are not for this caller' },
  not_found: { status: 404, title: 'Not found' },
  revision_conflict: { status: 409, title: 'The revision is not the current one' },
  conflict: { status: 409, title: 'In conflict with what is known' },
  too_large: { status: 413, title: 'The request is too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
};

/** All problems. Those that only the gateway answers stay out of the functions' bundles. */
export const PROBLEMS = {
  ...FUNCTION_PROBLEMS,
  unauthorized: { status: 401, title: 'Not authenticated' },
  throttled: { status: 429, title: 'Too many requests' },
} satisfies Readonly<Record<string, Problem>>;

export type ProblemCode = keyof typeof PROBLEMS;
