import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Sha256 } from '@smithy/core/checksum';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Credentials } from './credentials.ts';
import { equalSecrets } from './equal-secrets.ts';

/** AWS bears this difference of the clocks. */
const MAX_SKEW_MS = 5 * 60_000;

const AUTHORIZATION = new RegExp(
  '^AWS4-HMAC-SHA256 Credential=(?<accessKeyId>[A-Za-z0-9]+)/(?<date>\\d{8})/(?<region>[a-z0-9-]+)/(?<service>[a-z0-9-]+)' +
    '/aws4_request, ?SignedHeaders=(?<names>[a-z0-9;-]+), ?Signature=(?<signature>[0-9a-f]{64})$',
);

/** Without these, a signature would be good for other operations, at any time, or elsewhere. */
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-target'];

const CONTENT_HASH = 'x-amz-content-sha256';

export type Signer<C extends Credentials> =
  | { readonly outcome: 'known'; readonly credentials: C }
  | { readonly outcome: 'refused'; readonly code: string; readonly reason: string };

/**
 * Finds the credentials that a request to the root path is signed with, as Signature Version 4 has it. The request is
 * signed again with those that are known, by the package that signs for the AWS SDK, and the signatures are compared.
 */
export async function findSigner<C extends Credentials>(
  request: Pick<IncomingMessage, 'method' | 'headersDistinct'>,
  body: Buffer,
  known: readonly C[],
  nowMs: number,
): Promise<Signer<C>> {
  const header = (name: string) => request.headersDistinct[name]?.join(',');
  const authorization = header('authorization');
  if (authorization === undefined)
    return refuse('MissingAuthenticationTokenException', 'the request is not signed');
  const given = AUTHORIZATION.exec(authorization)?.groups;
  if (!given)
    return refuse('IncompleteSignatureException', 'the Authorization header is not of Signature V4');
  const { accessKeyId = '', date = '', region = '', service = '', signature = '' } = given;
  const candidates = known.filter((credentials) => equalSecrets(credentials.accessKeyId, accessKeyId));
  if (candidates.length === 0) {
    return refuse('UnrecognizedClientException', 'the access key is not of this stack');
  }

  const names = (given.names ?? '').split(';');
  const signedAt = dateOf(header('x-amz-date') ?? '');
  const contentHash = createHash('sha256').update(body).digest('hex');
  if (
    !MUST_BE_SIGNED.every((name) => names.includes(name)) ||
    !header('x-amz-date')?.startsWith(date) ||
    !signedAt ||
    Math.abs(signedAt.getTime() - nowMs) > MAX_SKEW_MS ||
    (header(CONTENT_HASH) ?? contentHash) !== contentHash
  ) {
    return refuse('InvalidSignatureException', 'the signature is too old or leaves out what it must cover');
  }
  const headers: Record<string, string> = {};
  for (const name of names) headers[name] = header(name) ?? '';
  const signableHeaders = new Set(names);
  for (const credentials of candidates) {
    const signer = new SignatureV4({ credentials, region, service, sha256: Sha256, applyChecksum: false });
    const again = await signer.sign(
      new HttpRequest({ method: request.method ?? '', path: '/', headers, body }),
      { signingDate: signedAt, signableHeaders },
    );
    const expected = AUTHORIZATION.exec(again.headers.authorization ?? '')?.groups?.signature;
    if (expected !== undefined && equalSecrets(expected, signature)) return { outcome: 'known', credentials };
  }
  return refuse('InvalidSignatureException', 'the signature is not that of the request');
}

/** The access key that a request says it is signed with, whether it is or not. */
export function accessKeyIdIn({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  return AUTHORIZATION.exec(headers.authorization ?? '')?.groups?.accessKeyId;
}

/** AWS writes times as 20260131T235959Z. */
function dateOf(text: string): Date | null {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? null : date;
}

function refuse(code: string, reason: string): Signer<never> {
  return { outcome: 'refused', code, reason };
}
