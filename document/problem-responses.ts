import * as answers from '../shared/contract/answers.ts';
import { PROBLEMS, type ProblemCode } from '../shared/contract/problems.ts';
import { type JsonObject, jsonSchemaOf, reference } from './json-schema.ts';
import type { SampleCall } from './samples.ts';

const CODES = Object.keys(PROBLEMS) as ProblemCode[];

/** A problem, or one of the occasions that a code has in several routes. */
export type Occasion = ProblemCode | 'conflict_of_parent';

/** The meaning of each problem for a caller, and an example of its detail. */
const WORDS: Readonly<Record<Occasion, readonly [meaning: string, detail: string]>> = {
  invalid_request: [
    'The body, a parameter or an id is malformed. `errors` says which and why.',
    'messageId: is required',
  ],
  unauthorized: ['There is no valid token.', 'The token is expired.'],
  forbidden: ['The token lacks the scope of the route.', 'This route is for back ends.'],
  not_found: [
    'There is no such group for this user, or no such message. A group that does not exist and one that the user is not in answer alike.',
    'There is no such group, or you are not a member of it.',
  ],
  receipts_off: [
    'The group shows receipts to nobody, or only to the sender of a message.',
    'The receipts of this group are not for this caller.',
  ],
  revision_conflict: [
    '`ifRevision` is not the current revision: the own view stays. What others see has moved, unless the mark is private. The answer has the current state.',
    'ifRevision is not the current revision: the own view stays where it is.',
  ],
  conflict: [
    'The message is known under another sender. Nothing has changed.',
    'This message is known under another sender.',
  ],
  conflict_of_parent: [
    'The group has another parent. Nothing has changed.',
    'The parent of a group is set once, and this group has another one.',
  ],
  too_large: ['The body has more than 64 KiB.', 'The body has 70000 bytes; at most 65536 are taken.'],
  throttled: ['There are too many calls. Send it again after `Retry-After` seconds.', 'Too many requests.'],
  internal: [
    'A fault of the service. The call may be repeated.',
    'The request failed. It is not known whether it took effect; it may be repeated.',
  ],
  unavailable: [
    'The service cannot take the call now, and nothing was acknowledged. Send it again after `Retry-After` seconds.',
    'The service cannot take this request right now. Please retry.',
  ],
};

/**
 * The gateway answers these itself, too, with these messages. Both answers have one schema, since many generated clients
 * look at the status and not at the content type.
 */
const GATEWAY_MESSAGES: Readonly<Partial<Record<ProblemCode, string>>> = {
  unauthorized: 'Unauthorized',
  forbidden: 'Forbidden',
  too_large: 'Request Entity Too Large',
  throttled: 'Too Many Requests',
  internal: 'Internal Server Error',
  unavailable: 'Service Unavailable',
};

const FIELDS: JsonObject = {
  type: { type: 'string', const: 'about:blank', description: 'The problem has no page of its own' },
  title: { type: 'string', description: 'The code in words' },
  status: { type: 'integer', description: 'The status of the answer' },
  code: reference('ProblemCode'),
  detail: { type: 'string', description: 'What is wrong with this call' },
  requestId: { type: 'string', description: 'Names the call in the logs' },
  message: { type: 'string', description: 'Of the gateway alone' },
};

const REQUIRED = ['type', 'title', 'status', 'code', 'detail', 'requestId'];

const { properties: stateFields, required: stateRequired } = jsonSchemaOf(answers.watermarkMoved, [
  [answers.unread, 'Unread'],
]) as {
  readonly properties: JsonObject;
  readonly required: string[];
};

const FAULT: JsonObject = {
  type: 'object',
  description: 'One fault of a request',
  properties: {
    path: { type: 'string', description: 'The field; empty for the body as a whole' },
    message: { type: 'string', description: 'What is wrong with it' },
  },
  required: ['path', 'message'],
};

export const PROBLEM_SCHEMAS: JsonObject = {
  ProblemCode: { type: 'string', enum: CODES, description: 'Which problem it is' },
  Fault: FAULT,
  Problem: {
    type: 'object',
    description: 'A problem (RFC 9457). It is never larger than 16 KiB.',
    properties: FIELDS,
    required: REQUIRED,
  },
  InvalidRequest: {
    type: 'object',
    properties: { ...FIELDS, errors: { type: 'array', maxItems: 20, items: reference('Fault') } },
    required: [...REQUIRED, 'errors'],
  },
  RevisionConflict: {
    type: 'object',
    description: 'A problem that has the current state in the fields of a 200.',
    properties: { ...stateFields, ...FIELDS },
    required: [...stateRequired, ...REQUIRED],
  },
  GatewayProblem: {
    type: 'object',
    description:
      'A problem (RFC 9457) with all the fields of one, or what the gateway of a deployment answers itself, which has `message` alone.',
    properties: { ...FIELDS, message: { type: ['string', 'null'], description: 'Of the gateway alone' } },
  },
};

/** The name of the response that an endpoint has for the problems of one status. */
export function responseName(occasions: readonly Occasion[]): string {
  return occasions.join('_or_');
}

export function statusOf(occasion: Occasion): number {
  return PROBLEMS[codeOf(occasion)].status;
}

function codeOf(occasion: Occasion): ProblemCode {
  return occasion === 'conflict_of_parent' ? 'conflict' : occasion;
}

/** The responses of problems, by their names. Each entry of `lists` has the problems of one status of an endpoint. */
export function problemResponses(
  lists: readonly (readonly Occasion[])[],
  calls: readonly SampleCall[],
): JsonObject {
  const byName = new Map(lists.map((codes) => [responseName(codes), codes]));
  const inOrder = [...byName].toSorted(([, [a]], [, [b]]) => placeOf(a) - placeOf(b));
  return Object.fromEntries(
    inOrder.map(([name, [code, ...others]]) => {
      if (!code) throw new Error('a status of an endpoint has no problem');
      return [name, others.length > 0 ? sharedResponse([code, ...others], calls) : responseOf(code, calls)];
    }),
  );
}

function placeOf(occasion: Occasion | undefined): number {
  return occasion === undefined ? -1 : CODES.indexOf(codeOf(occasion));
}

/** The response of several problems with the same status. */
function sharedResponse(codes: readonly Occasion[], calls: readonly SampleCall[]): JsonObject {
  const fields = codes.map(schemaOf);
  const isPlain = ({ $ref }: JsonObject) => /\/(GatewayProblem|Problem)$/.test(String($ref));
  if (!fields.every(isPlain)) throw new Error(`these problems differ in shape: ${codes.join(', ')}`);
  // The gateway's schema allows all fields of a problem.
  const schema = fields.find(({ $ref }) => $ref === reference('GatewayProblem').$ref) ?? reference('Problem');
  const examples = codes.map((code) => [code, { value: exampleOf(code, calls) }]);
  const message = codes.map((code) => GATEWAY_MESSAGES[codeOf(code)]).find((one) => one !== undefined);
  return {
    description: codes.map((code) => WORDS[code][0]).join(' '),
    content: {
      'application/problem+json': { schema, examples: Object.fromEntries(examples) },
      ...(message !== undefined && { 'application/json': { schema, example: { message } } }),
    },
  };
}

function responseOf(occasion: Occasion, calls: readonly SampleCall[]): JsonObject {
  const code = codeOf(occasion);
  const [description] = WORDS[occasion];
  const message = GATEWAY_MESSAGES[code];
  const problem = { schema: schemaOf(code), example: exampleOf(occasion, calls) };
  const retryAfter = {
    description: 'Seconds',
    schema: { type: 'integer', minimum: 0 },
  };
  return {
    description,
    ...((code === 'throttled' || code === 'unavailable') && { headers: { 'Retry-After': retryAfter } }),
    content: {
      'application/problem+json': problem,
      ...(message !== undefined && {
        'application/json': { schema: schemaOf(code), example: { message } },
      }),
    },
  };
}

function schemaOf(occasion: Occasion): JsonObject {
  const code = codeOf(occasion);
  if (code === 'invalid_request') return reference('InvalidRequest');
  if (code === 'revision_conflict') return reference('RevisionConflict');
  return reference(Object.hasOwn(GATEWAY_MESSAGES, code) ? 'GatewayProblem' : 'Problem');
}

/** The sample of docs/api.md, if it has one for this problem. */
function exampleOf(occasion: Occasion, calls: readonly SampleCall[]): JsonObject {
  const code = codeOf(occasion);
  const { status, title } = PROBLEMS[code];
  const [, detail] = WORDS[occasion];
  const shown = calls
    .map(({ answer }) => answer as JsonObject | null)
    // Only the detail distinguishes the occasions of a conflict.
    .find((answer) => answer?.code === code && (code !== 'conflict' || answer.detail === detail));
  const requestId = '563a8130-1e6e-4ae5-bc8c-d84dce7427b9';
  return shown ?? { type: 'about:blank', title, status, code, detail, requestId };
}
