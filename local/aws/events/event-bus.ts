import { randomUUID } from 'node:crypto';
import type { Log } from '../../command/log.ts';
import type { Journal } from '../../data/journal.ts';
import { functionNameIn, onlyResource, resourcesOf } from '../cloudformation/properties.ts';
import { ACCOUNT_ID, REGION, type Template, TemplateError } from '../cloudformation/template.ts';
import { servicePrincipal } from '../iam/service-principal.ts';
import type { Lambda } from '../lambda/lambda.ts';
import type { Queue } from '../queues/queue.ts';
import type { Queues } from '../queues/queues.ts';
import { compilePattern } from './event-pattern.ts';

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

/** An event has reached a rule's target or its dead-letter queue. */
export interface Delivery {
  readonly eventId: string;
  readonly rule: string;
}

interface Rule {
  readonly name: string;
  readonly target: { readonly functionName: string } | { readonly queue: Queue };
  readonly matches: (event: unknown) => boolean;
}

const MAX_ENTRY_BYTES = 262_144;

/**
 * The events that a rule delivers to a function at the same time. On AWS there is no such limit, and no order either. Here
 * more instances would only compete for the same processors.
 */
const LANES = 4;

export interface EventBusOptions {
  readonly events: Journal<BusEvent>;
  readonly deliveries: Journal<Delivery>;
  readonly lambda: Lambda;
  readonly queues: Queues;
  readonly log: Log;
}

/** The template's bus with its rules. An event is stored before it is acknowledged, and delivered again after a crash. */
export class EventBus {
  readonly name: string;
  readonly #options: EventBusOptions;
  readonly #rules: readonly Rule[];
  /** The last delivery in each lane of a rule. */
  readonly #lanes = new Map<string, Promise<unknown>>();
  /** The number of deliveries to functions so far, for each rule. */
  readonly #counts = new Map<string, number>();

  constructor(template: Template, options: EventBusOptions) {
    this.#options = options;
    this.name = onlyResource(template, 'AWS::Events::EventBus').properties.Name;
    this.#rules = resourcesOf(template, 'AWS::Events::Rule').flatMap(
      ({ logicalId, properties: { EventBusName, EventPattern, Targets } }) => {
        if (EventBusName !== this.name)
          throw new TemplateError(`${logicalId}: there is no event bus ${EventBusName}`);
        return Targets.map(({ Arn, Id, DeadLetterConfig }) => {
          const ruleArn = template.identityOf(logicalId).attributes.Arn ?? '';
          requireSending(template, ruleArn, options.queues.get(DeadLetterConfig.Arn));
          const target = targetOf(template, ruleArn, Arn, options);
          return { name: `${logicalId}/${Id}`, target, matches: compilePattern(EventPattern) };
        });
      },
    );
  }

  get events(): readonly BusEvent[] {
    return this.#options.events.entries;
  }

  /** Delivers the events that an earlier run accepted but did not deliver. */
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
    const { target } = rule;
    if ('queue' in target) {
      target.queue.send({ body: payload });
      settled();
      return;
    }
    const count = this.#counts.get(rule.name) ?? 0;
    this.#counts.set(rule.name, count + 1);
    const lane = `${rule.name} ${count % LANES}`;
    const before = this.#lanes.get(lane) ?? Promise.resolve();
    const delivery = before
      .then(async () => {
        const result = await lambda.invokeAsync(target.functionName, payload, settled);
        const outcome = result.ok ? 'ok' : `failed: ${result.errorMessage}`;
        log.line(`delivery ${event['detail-type']} to ${target.functionName} ${outcome}`);
      })
      // A delivery that fails must not block later ones. It is not stored as done, so the next start repeats it.
      .catch((error: unknown) => log.line(`delivery ${event['detail-type']} failed: ${String(error)}`));
    this.#lanes.set(lane, delivery);
  }
}

/** The target of a rule. Throws a TemplateError if it does not exist or if the rule may not use it. */
function targetOf(
  template: Template,
  ruleArn: string,
  arn: string,
  { lambda, queues }: Pick<EventBusOptions, 'lambda' | 'queues'>,
): Rule['target'] {
  if (arn.includes(':sqs:')) {
    const queue = queues.get(arn);
    requireSending(template, ruleArn, queue);
    return { queue };
  }
  const functionName = functionNameIn(arn);
  lambda.pool(functionName);
  const mayInvoke = resourcesOf(template, 'AWS::Lambda::Permission').some(
    ({ properties }) =>
      properties.Principal === 'events.amazonaws.com' &&
      functionNameIn(properties.FunctionName) === functionName &&
      properties.SourceArn === ruleArn,
  );
  if (!mayInvoke) throw new TemplateError(`${ruleArn} may not invoke ${functionName}`);
  return { functionName };
}

/** Throws a TemplateError if the queue's policies do not let the rule send to it. */
function requireSending(template: Template, ruleArn: string, { definition }: Queue): void {
  const policies = resourcesOf(template, 'AWS::SQS::QueuePolicy')
    .filter(({ properties }) => properties.Queues.includes(definition.url))
    .map(({ properties }) => properties.PolicyDocument);
  const rule = servicePrincipal('events.amazonaws.com', ruleArn, policies);
  if (!rule.allows('sqs:SendMessage', definition.arn)) {
    throw new TemplateError(`${ruleArn} may not send to ${definition.name}`);
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
  if (Number.isNaN(timeOf(Time).getTime())) return refuse('InvalidArgument', 'Time is not a time');
  try {
    const detail: unknown = JSON.parse(Detail ?? '');
    return typeof detail === 'object' && detail !== null && !Array.isArray(detail)
      ? null
      : refuse('MalformedDetail', 'Detail is not a JSON object');
  } catch {
    return refuse('MalformedDetail', 'Detail is malformed.');
  }
}

function timeOf(time: BusEntry['Time']): Date {
  if (time === undefined) return new Date();
  return new Date(typeof time === 'number' ? time * 1000 : time);
}

/** EventBridge's times are whole seconds. */
function eventOf({ Source = '', DetailType = '', Detail = '', Time }: BusEntry): BusEvent {
  return {
    id: randomUUID(),
    time: `${timeOf(Time).toISOString().slice(0, 19)}Z`,
    source: Source,
    'detail-type': DetailType,
    detail: JSON.parse(Detail),
  };
}
