import { randomUUID } from 'node:crypto';
import { functionNameIn, onlyResource, resourcesOf } from '../cloudformation/properties.ts';
import { ACCOUNT_ID, REGION, type Template, TemplateError } from '../cloudformation/template.ts';
import type { Lambda } from '../lambda/lambda.ts';
import type { Log } from '../log.ts';
import type { DeadLetters } from './dead-letters.ts';
import { compilePattern } from './event-pattern.ts';
import type { Journal } from './journal.ts';

export interface BusEvent {
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly 'detail-type': string;
  readonly detail: unknown;
}

/** An entry of PutEvents. */
export interface BusEntry {
  readonly EventBusName?: string;
  readonly Source?: string;
  readonly DetailType?: string;
  readonly Detail?: string;
  readonly Time?: number | string;
}

export type EntryResult =
  | { readonly EventId: string }
  | { readonly ErrorCode: string; readonly ErrorMessage: string };

/** That an event has reached a rule's target, or its dead-letter queue. */
export interface Delivery {
  readonly eventId: string;
  readonly rule: string;
}

interface Rule {
  readonly name: string;
  readonly functionName: string;
  readonly matches: (event: unknown) => boolean;
}

const MAX_ENTRY_BYTES = 262_144;

export interface EventBusOptions {
  readonly events: Journal<BusEvent>;
  readonly deliveries: Journal<Delivery>;
  readonly lambda: Lambda;
  readonly deadLetters: DeadLetters;
  readonly log: Log;
}

/** The template's bus with its rules. An event is kept before it is acknowledged, and delivered again after a crash. */
export class EventBus {
  readonly name: string;
  readonly #options: EventBusOptions;
  readonly #rules: readonly Rule[];
  /** For each rule, the deliveries so far: one after the other, so that order is kept where nothing fails. */
  readonly #lines = new Map<string, Promise<unknown>>();

  constructor(template: Template, options: EventBusOptions) {
    this.#options = options;
    this.name = onlyResource(template, 'AWS::Events::EventBus').properties.Name;
    const permissions = resourcesOf(template, 'AWS::Lambda::Permission').filter(
      ({ properties }) => properties.Principal === 'events.amazonaws.com',
    );
    this.#rules = resourcesOf(template, 'AWS::Events::Rule')
      .filter(({ properties }) => properties.State === 'ENABLED' && properties.EventBusName === this.name)
      .flatMap(({ logicalId, properties: { EventPattern, Targets } }) =>
        Targets.map(({ Arn, Id, DeadLetterConfig }) => {
          const functionName = functionNameIn(Arn);
          options.lambda.pool(functionName);
          if (DeadLetterConfig) options.deadLetters.check(DeadLetterConfig.Arn);
          const ruleArn = template.identityOf(logicalId).attributes.Arn;
          const mayInvoke = permissions.some(
            ({ properties }) =>
              functionNameIn(properties.FunctionName) === functionName && properties.SourceArn === ruleArn,
          );
          if (!mayInvoke) throw new TemplateError(`${logicalId} may not invoke ${functionName}`);
          return { name: `${logicalId}/${Id}`, functionName, matches: compilePattern(EventPattern) };
        }),
      );
  }

  get events(): readonly BusEvent[] {
    return this.#options.events.entries;
  }

  /** Delivers what an earlier run had accepted and not delivered. */
  resume(): void {
    const delivered = new Set(
      this.#options.deliveries.entries.map(({ eventId, rule }) => `${eventId} ${rule}`),
    );
    for (const event of this.events) {
      for (const rule of this.#rules) {
        if (rule.matches(event) && !delivered.has(`${event.id} ${rule.name}`)) this.#deliver(event, rule);
      }
    }
  }

  put(entries: readonly BusEntry[]): EntryResult[] {
    return entries.map((entry) => {
      const problem = problemOf(entry, this.name);
      if (problem) return problem;
      const event = eventOf(entry);
      this.#options.events.append(event);
      this.#options.log.line(`event ${event.source} ${event['detail-type']} ${JSON.stringify(event.detail)}`);
      for (const rule of this.#rules) if (rule.matches(event)) this.#deliver(event, rule);
      return { EventId: event.id };
    });
  }

  #deliver(event: BusEvent, rule: Rule): void {
    const { lambda, deliveries, log } = this.#options;
    const payload = JSON.stringify({
      version: '0',
      ...event,
      account: ACCOUNT_ID,
      region: REGION,
      resources: [],
    });
    const settled = () => deliveries.append({ eventId: event.id, rule: rule.name });
    const before = this.#lines.get(rule.name) ?? Promise.resolve();
    const delivery = before
      .then(async () => {
        const result = await lambda.invokeAsync(rule.functionName, payload, settled);
        const outcome = result.ok ? 'ok' : `failed: ${result.errorMessage}`;
        log.line(`delivery ${event['detail-type']} to ${rule.functionName} ${outcome}`);
      })
      // One delivery that goes wrong must not end the line; unsettled, it is made again at the next start.
      .catch((error: unknown) => log.line(`delivery ${event['detail-type']} broke: ${String(error)}`));
    this.#lines.set(rule.name, delivery);
  }
}

function problemOf(
  { EventBusName, Source, DetailType, Detail, Time }: BusEntry,
  busName: string,
): EntryResult | null {
  const refuse = (ErrorCode: string, ErrorMessage: string) => ({ ErrorCode, ErrorMessage });
  if ((EventBusName ?? 'default').split('/').at(-1) !== busName) {
    return refuse('InvalidArgument', `there is no event bus ${EventBusName ?? 'default'}`);
  }
  if (!Source || !DetailType) return refuse('InvalidArgument', 'Source and DetailType are required');
  if (Buffer.byteLength(`${Source}${DetailType}${Detail ?? ''}`) > MAX_ENTRY_BYTES) {
    return refuse('InvalidArgument', 'the entry is larger than 256 KB');
  }
  if (Number.isNaN(timeOf(Time).getTime())) return refuse('InvalidArgument', 'Time is no time');
  try {
    const detail: unknown = JSON.parse(Detail ?? '');
    return typeof detail === 'object' && detail !== null && !Array.isArray(detail)
      ? null
      : refuse('MalformedDetail', 'Detail is no JSON object');
  } catch {
    return refuse('MalformedDetail', 'Detail is malformed.');
  }
}

function timeOf(time: BusEntry['Time']): Date {
  if (time === undefined) return new Date();
  return new Date(typeof time === 'number' ? time * 1000 : time);
}

/** EventBridge tells times in whole seconds. */
function eventOf({ Source = '', DetailType = '', Detail = '', Time }: BusEntry): BusEvent {
  return {
    id: randomUUID(),
    time: `${timeOf(Time).toISOString().slice(0, 19)}Z`,
    source: Source,
    'detail-type': DetailType,
    detail: JSON.parse(Detail),
  };
}
