import { FUNCTION_PROBLEMS } from '../../shared/contract/problems.ts';
import { type InvalidField, TidemarkError } from '../../shared/domain/errors.ts';
import { shortened } from '../../shared/domain/shortened.ts';

const RETRY_AFTER_SECONDS = 1;

/**
 * In bytes of JSON. An answer to an error has at most 16 KiB: `TidemarkError` bounds detail and faults, about 12 KiB
 * together, and the other fields take less than 512 bytes.
 */
const MAX_STATE_BYTES = 2_048;
const MAX_REQUEST_ID_BYTES = 128;

export interface Answer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * Returns the answer to an error, as a problem (RFC 9457) of at most 16 KiB. For a fault of the service it contains
 * nothing about the cause.
 */
export function problemAnswer(error: unknown, requestId: string): Answer {
  const problem = problemOf(error, requestId);
  return {
    statusCode: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      ...(problem.code === 'unavailable' && { 'retry-after': String(RETRY_AFTER_SECONDS) }),
    },
    body: JSON.stringify(problem),
  };
}

/** Returns the problem in that answer. */
export function problemOf(error: unknown, requestId: string) {
  const known = error instanceof TidemarkError ? error : null;
  const code = known?.code ?? 'internal';
  const { status, title } = FUNCTION_PROBLEMS[code];
  const detail =
    known?.message ?? 'The request failed. It is not known whether it took effect; it may be repeated.';
  return {
    // First, so that no field of the state replaces one of the problem.
    ...boundedState(known?.state ?? {}),
    type: 'about:blank',
    title,
    status,
    code,
    detail,
    requestId: shortened(requestId, MAX_REQUEST_ID_BYTES),
    ...(code === 'invalid_request' && { errors: fieldsOf(known) }),
  };
}

/** Keeps as many fields of the state as there is room for. Leaves out values that JSON does not have. */
function boundedState(state: TidemarkError['state']): Record<string, unknown> {
  const kept: [string, unknown][] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries(state)) {
    bytes += memberBytes(name, value);
    if (bytes > MAX_STATE_BYTES) break;
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

function memberBytes(name: string, value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify({ [name]: value }));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function fieldsOf(error: TidemarkError | null): readonly InvalidField[] {
  if (!error) return [];
  return error.fields.length > 0 ? error.fields : [{ path: '', message: error.message }];
}
