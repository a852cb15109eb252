import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Json } from './running-stack.ts';

type Schema = { readonly [name: string]: Json };

interface Response {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Schema;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

interface Operation {
  readonly responses: Readonly<Record<string, Response | { readonly $ref: string }>>;
}

const SCHEMAS = '#/components/schemas/';
const { paths, components } = read<OpenApi>('openapi.json');
const validators = new Map<string, ValidateFunction>();
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
ajv.addSchema({ $id: 'openapi', components: { schemas: closed(components.schemas) } });

const isEvent = ajv.compile(closed(read<Schema>('events.schema.json')) as Schema);

/** An answer as far as the document describes it. */
export interface DescribedAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly text: string;
  readonly body: Json;
}

/** Throws where docs/openapi.json has the route, but no such answer of it. */
export function expectDocumented(method: string, path: string, answer: DescribedAnswer): void {
  const operation = operationAt(method, path);
  if (!operation) return;
  const fault = faultOf(operation, answer);
  if (fault === null) return;
  throw new Error(`docs/openapi.json has no such answer of ${method} ${path}: ${fault}\n${answer.text}`);
}

/** Throws where docs/events.schema.json has no such event. */
export function expectDocumentedEvent(event: unknown): void {
  if (!isEvent(event)) throw new Error(`${ajv.errorsText(isEvent.errors)}\n${JSON.stringify(event)}`);
}

function operationAt(method: string, path: string): Operation | undefined {
  const [bare = ''] = path.split('?');
  const found = Object.entries(paths)
    .filter(([pattern]) => new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+')}$`).test(bare))
    .flatMap(([, operations]) => operations[method.toLowerCase()] ?? []);
  return found[0];
}

function faultOf(
  { responses }: Operation,
  { status, contentType, text, body }: DescribedAnswer,
): string | null {
  const listed = responses[status];
  if (!listed) return `no status ${status}`;
  const { content } = '$ref' in listed ? responseAt(listed.$ref) : listed;
  if (!content) return text === '' ? null : 'it has a body';
  const [mediaType = ''] = contentType?.split(';') ?? [];
  const schema = content[mediaType]?.schema;
  if (!schema) return `no content type ${contentType}`;
  // What the service answers has all the fields of a problem.
  const isProblem = schema.$ref === `${SCHEMAS}GatewayProblem` && mediaType === 'application/problem+json';
  const isValid = validatorOf(isProblem ? `${SCHEMAS}Problem` : String(schema.$ref));
  return isValid(body) ? null : ajv.errorsText(isValid.errors);
}

function responseAt(pointer: string): Response {
  const response = components.responses[pointer.replace('#/components/responses/', '')];
  if (!response) throw new Error(`there is no ${pointer}`);
  return response;
}

function validatorOf(pointer: string): ValidateFunction {
  const known = validators.get(pointer) ?? ajv.compile({ $ref: `openapi${pointer}` });
  validators.set(pointer, known);
  return known;
}

/** The documents let more fields come in a later version. This version has no more. */
function closed(json: Json): Json {
  if (Array.isArray(json)) return json.map(closed);
  if (typeof json !== 'object' || json === null) return json;
  const whole = Object.fromEntries(Object.entries(json).map(([name, value]) => [name, closed(value)]));
  return json.type === 'object' && !('oneOf' in json) ? { ...whole, additionalProperties: false } : whole;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')) as T;
}
