import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Sha256 } from '@smithy/core/checksum';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { equalSecrets } from '../http/equal-secrets.ts';
import type { Credentials } from './credentials.ts';

/** The difference of clocks that AWS accepts. */
const MAX_SKEW_MS = 5 * 60_000;

const AUTHORIZATION = new RegExp(
  '^AWS4-HMAC-SHA256 Credential=(?<accessKeyId>[A-Za-z0-9]+)/(?<date>\\d{8})/(?<region>[a-z0-9-]+)/(?<service>[a-z0-9-]+)' +
    '/aws4_request, ?SignedHeaders=(?<names>[a-z0-9;-]+), ?Signature=(?<signature>[0-9a-f]{64})$',
);

/** What a signature must cover, in addition to the body. */
export interface Signed {
  /** The path as it was sent, with its escapes. */
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[]>>;
  /** The headers that must be signed. Without them, a signature would also be valid for other operations, times or hosts. */
  readonly headers: readonly string[];
  /** Undefined if the endpoint serves several services. */
  readonly service?: string;
  readonly region?: string;
}

/** A call of AWS's JSON protocols. */
const OPERATION: Signed = { path: '/', query: {}, headers: ['host', 'x-amz-date', 'x-amz-target'] };

const CONTENT_HASH = 'x-amz-content-sha256';

export type Signer<C extends Credentials> =
  | { readonly outcome: 'known'; readonly credentials: C }
  | { readonly outcome: 'refused'; readonly code: string; readonly reason: string };

/**
 * Finds the credentials that signed a request (Signature Version 4). It looks up the credentials of the request's access
 * key, signs the request again with the AWS SDK's package, and compares the signatures.
 */
export async function findSigner<C extends Credentials>(
  request: Pick<IncomingMessage, 'method' | 'headersDistinct'>,
  body: Buffer,
  known: (accessKeyId: string) => C | undefined,
  nowMs: number,
  signed: Signed = OPERATION,
): Promise<Signer<C>> {
  const header = (name: string) => request.headersDistinct[name]?.join(',');
  const authorization = header('authorization');
  if (authorization === undefined)
    return refuse('MissingAuthenticationTokenException', 'the request is not signed');
  const given = AUTHORIZATION.exec(authorization)?.groups;
  if (!given) return refuse('IncompleteSignatureException', 'the Authorization header is not a Signature V4');
  const { accessKeyId = '', date = '', region = '', service = '', signature = '' } = given;
  if ((signed.service ?? service) !== service || (signed.region ?? region) !== region) {
    return refuse('InvalidSignatureException', `the signature is for ${service} in ${region}`);
  }
  const credentials = known(accessKeyId);
  if (!credentials) return refuse('UnrecognizedClientException', 'this stack has no such access key');

  const names = (given.names ?? '').split(';');
  const signedAt = dateOf(header('x-amz-date') ?? '');
  const contentHash = createHash('sha256').update(body).digest('hex');
  if (
    !signed.headers.every((name) => names.includes(name)) ||
    !header('x-amz-date')?.startsWith(date) ||
    !signedAt ||
    Math.abs(signedAt.getTime() - nowMs) > MAX_SKEW_MS ||
    (header(CONTENT_HASH) ?? contentHash) !== contentHash
  ) {
    return refuse('InvalidSignatureException', 'the signature is too old or leaves out what it must cover');
  }
  const headers: Record<string, string> = {};
  for (const name of names) headers[name] = header(name) ?? '';
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256, applyChecksum: false });
  const { path, query } = signed;
  const again = await signer.sign(
    new HttpRequest({ method: request.method ?? '', path, query: { ...query }, headers, body }),
    { signingDate: signedAt, signableHeaders: new Set(names) },
  );
  const expected = AUTHORIZATION.exec(again.headers.authorization ?? '')?.groups?.signature;
  if (expected !== undefined && equalSecrets(expected, signature)) return { outcome: 'known', credentials };
  return refuse('InvalidSignatureException', 'the signature is not that of the request');
}

/** Reads a time in AWS's format, such as 20260131T235959Z. */
function dateOf(text: string): Date | null {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? null : date;
}

function refuse(code: string, reason: string): Signer<never> {
  return { outcome: 'refused', code, reason };
}
