import { invalidFields, TidemarkError } from '../../shared/domain/errors.ts';

/** Bodies are at most 64 KiB. */
const MAX_BODY_BYTES = 65_536;

const JSON_TYPE = /^application\/json\s*(;|$)/i;
const PLAIN_INTEGER = /^-?(0|[1-9][0-9]*)$/;

export interface Body {
  readonly text: string | undefined;
  readonly isBase64: boolean;
  readonly contentType: string | undefined;
}

/**
 * Returns the value of a JSON body, undefined if there is none. A number that is not written as a plain integer, or
 * that a double cannot hold exactly, becomes NaN: otherwise `1e2` and 9007199254740993 would count as other ids. Throws
 * `too_large` or `invalid_request`.
 */
export function parseJsonBody({ text, isBase64, contentType }: Body): unknown {
  if (!text) return undefined;
  const bytes = Buffer.from(text, isBase64 ? 'base64' : 'utf8');
  if (bytes.byteLength > MAX_BODY_BYTES) {
    throw new TidemarkError(
      'too_large',
      `The body has ${bytes.byteLength} bytes; at most ${MAX_BODY_BYTES} are taken.`,
    );
  }
  if (!JSON_TYPE.test(contentType ?? '')) {
    throw invalidFields([{ path: '', message: 'the content type must be application/json' }]);
  }
  try {
    return JSON.parse(bytes.toString('utf8'), exactNumbers);
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it cannot be parsed';
    throw invalidFields([{ path: '', message: `the body is not valid JSON: ${reason}` }]);
  }
}

function exactNumbers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number') return value;
  return PLAIN_INTEGER.test(context?.source ?? '') && Number.isSafeInteger(value) ? value : Number.NaN;
}
