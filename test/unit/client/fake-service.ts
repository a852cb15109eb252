import type { Fetch } from '../../../client/src/transport.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly bearer: string | undefined;
  readonly keepalive: boolean;
}

export interface Reply {
  readonly status: number;
  readonly body?: object | string;
  readonly retryAfter?: string;
}

/** What a call gets: an answer, later an answer, or no network. */
export type Outcome = Answered | Promise<Answered>;

type Answered = Reply | 'no network';

/** A service of one's own behind `fetch`: it lists the calls, and answers them as the test says. */
export function createFakeService(answer: (call: Call) => Outcome) {
  const calls: Call[] = [];
  const fetch: Fetch = async (url, { method, headers, body, keepalive }) => {
    const call: Call = {
      method,
      path: url.replace('https://service.example/v1', ''),
      body: body === undefined ? null : JSON.parse(body),
      bearer: headers.authorization?.replace('Bearer ', ''),
      keepalive,
    };
    calls.push(call);
    const outcome = await answer(call);
    if (outcome === 'no network') throw new TypeError('fetch failed');
    const { status, body: given = '', retryAfter = null } = outcome;
    return {
      ok: status < 300,
      status,
      headers: { get: () => retryAfter },
      text: async () => (typeof given === 'string' ? given : JSON.stringify(given)),
    };
  };
  return { url: 'https://service.example', fetch, calls };
}

/** The answer to a mark in the group of most tests. */
export function marked(messageId: string | null, fields: object = {}): Reply {
  return {
    status: 200,
    body: {
      groupId: 'tea',
      userId: 'ann',
      messageId,
      readAt: '2026-11-25T18:55:25.402Z',
      revision: 0,
      unread: { count: 0, mentions: 0, firstId: null, exact: true },
      advanced: true,
      clamped: false,
      ...fields,
    },
  };
}

export function problem(status: number, code: string, fields: object = {}): Reply {
  return {
    status,
    body: { type: 'about:blank', title: 't', status, code, detail: 'd', requestId: 'r', ...fields },
  };
}
