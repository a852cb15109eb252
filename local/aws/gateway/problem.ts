import { PROBLEMS } from '../../../shared/contract/problems.ts';

/** The problem for each status that the gateway itself answers, and AWS's text for it. */
const ANSWERS = {
  400: ['invalid_request', 'Bad Request'],
  401: ['unauthorized', 'Unauthorized'],
  403: ['forbidden', 'Forbidden'],
  404: ['not_found', 'Not Found'],
  413: ['too_large', 'Request Entity Too Large'],
  500: ['internal', 'Internal Server Error'],
  503: ['unavailable', 'Service Unavailable'],
} as const;

export type GatewayStatus = keyof typeof ANSWERS;

export interface GatewayAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The gateway's own errors in the form of the contract. On AWS an HTTP API always answers them as `{"message": ...}`, with
 * the same status: so `message` is there too.
 */
export function gatewayProblem(status: GatewayStatus, detail: string, requestId: string): GatewayAnswer {
  const [code, message] = ANSWERS[status];
  const { title } = PROBLEMS[code];
  const problem = { type: 'about:blank', title, status, code, detail, requestId, message };
  return {
    statusCode: status,
    headers: {
      'content-type': 'application/problem+json',
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(status === 503 && { 'retry-after': '1' }),
    },
    body: JSON.stringify(status === 400 ? { ...problem, errors: [{ path: '', message: detail }] } : problem),
  };
}
