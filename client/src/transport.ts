import { TidemarkError } from './error.ts';

interface FetchedResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

interface FetchInit {
  method: string;
  headers: Record<string, string>;
  body?: string;
  keepalive: boolean;
  signal: AbortSignal;
}

/** `fetch`, as far as it is used. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchedResponse>;

/**
 * Returns a valid token. It is called before every call, so it should keep a token until that expires. If the service refuses
 * a token, it is called once more with that token, and should return a new one.
 */
export type TokenSource = (refused?: string) => string | Promise<string>;

export interface ApiOptions {
  /** The address of the HTTP API, without `/v1`. */
  readonly url: string;
  /** Without it, no token is sent: for a `fetch` that signs the calls. */
  readonly token?: TokenSource;
  /** In place of the global `fetch`. */
  readonly fetch?: Fetch;
  /** How long a call may take, in milliseconds. @default 30,000 */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Lets the call outlive the page. */
  readonly keepalive?: boolean;
}

/** Returns the body of the answer. Throws a TidemarkError, or the reason of an aborted signal. */
export async function send(
  { url, token, fetch: given, timeoutMs = 30_000 }: ApiOptions,
  { path, ...request }: { readonly path: string; readonly method: string; readonly body?: string },
  { signal, keepalive = false }: CallOptions = {},
  accepted?: number,
): Promise<unknown> {
  const attempt = async (bearer: string | undefined) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const init: FetchInit = {
      ...request,
      headers: {
        'content-type': 'application/json',
        ...(bearer && { authorization: `Bearer ${bearer}` }),
      },
      keepalive,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    };
    try {
      const response = await (given ?? fetch)(`${url.replace(/\/$/, '')}/v1${path}`, init);
      return [response, await response.text()] as const;
    } catch (cause) {
      signal?.throwIfAborted();
      throw new TidemarkError(0, null, null, { cause });
    }
  };

  const bearer = await token?.();
  let [response, text] = await attempt(bearer);
  if (response.status === 401 && token) {
    const renewed = await token(bearer);
    if (renewed !== bearer) [response, text] = await attempt(renewed);
  }
  const { ok, status } = response;
  if (status === 202 || status === 204) return undefined;
  const parsed = parseObject(text);
  if (parsed && (ok || status === accepted)) return parsed;
  throw new TidemarkError(status, parsed, Number(response.headers.get('retry-after')) || null);
}

/** Returns null for anything that is not from the service, such as the page of a proxy, or a frame that is not text. */
export function parseObject(text: unknown): object | null {
  try {
    const value: unknown = JSON.parse(String(text));
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
