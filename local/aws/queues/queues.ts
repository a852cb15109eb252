import { resourcesOf } from '../cloudformation/properties.ts';
import { type Template, TemplateError } from '../cloudformation/template.ts';
import type { Message, MessageStore } from './message-store.ts';
import { Queue, type QueueClock, type QueueDefinition } from './queue.ts';

export interface DeadLetter {
  /** The queue's ARN. */
  readonly queue: string;
  readonly receivedAt: string;
  readonly message: unknown;
  readonly reason: string;
}

/** A move of all messages of a dead-letter queue, as SQS reports it. */
export interface MoveTask {
  readonly handle: string;
  readonly sourceArn: string;
  readonly destinationArn: string;
  readonly moved: number;
  readonly startedAtMs: number;
}

/** The template's queues. */
export class Queues {
  readonly #queues = new Map<string, Queue>();
  /** The queues that no function processes. */
  readonly #deadLetterQueues: readonly Queue[];
  readonly #moves: MoveTask[] = [];
  readonly #clock: QueueClock;

  constructor(template: Template, store: MessageStore, clock: QueueClock) {
    this.#clock = clock;
    const definitions = definitionsIn(template);
    for (const definition of definitions) {
      const giveUp = (message: Message, reason: string) => {
        if (definition.redrive) this.get(definition.redrive.deadLetters).adopt(message, reason);
      };
      this.#queues.set(definition.name, new Queue(definition, store, clock, giveUp));
    }
    for (const { redrive } of definitions) if (redrive) this.get(redrive.deadLetters);
    const sources = resourcesOf(template, 'AWS::Lambda::EventSourceMapping').map(
      ({ properties }) => properties.EventSourceArn,
    );
    this.#deadLetterQueues = [...this.#queues.values()].filter(
      ({ definition }) => !sources.includes(definition.arn),
    );
  }

  /** The queue with an ARN. Throws a TemplateError if there is none. */
  get(arn: string): Queue {
    const queue = this.find(({ definition }) => definition.arn === arn);
    if (!queue) throw new TemplateError(`there is no queue ${arn}`);
    return queue;
  }

  find(matches: (queue: Queue) => boolean): Queue | undefined {
    return [...this.#queues.values()].find(matches);
  }

  /** The messages of all dead-letter queues, in the order of their arrival. */
  get deadLetters(): DeadLetter[] {
    return this.#deadLetterQueues
      .flatMap((queue) => queue.messages().map((message) => ({ queue, message })))
      .sort((one, other) => one.message.arrivedAtMs - other.message.arrivedAtMs)
      .map(({ queue, message }) => ({
        queue: queue.definition.arn,
        receivedAt: new Date(message.arrivedAtMs).toISOString(),
        message: parsed(message.body),
        reason: message.reason,
      }));
  }

  /** The queues with this queue in their redrive policy. */
  sourcesOf(deadLetters: Queue): Queue[] {
    return [...this.#queues.values()].filter(
      ({ definition }) => definition.redrive?.deadLetters === deadLetters.definition.arn,
    );
  }

  /** Moves all messages that can be received. They are new messages in the other queue. */
  move(source: Queue, destination: Queue): MoveTask {
    const drained = source.drain();
    for (const { body, attributes } of drained) destination.send({ body, attributes });
    const task = {
      handle: crypto.randomUUID(),
      sourceArn: source.definition.arn,
      destinationArn: destination.definition.arn,
      moved: drained.length,
      startedAtMs: this.#clock.nowMs(),
    };
    this.#moves.unshift(task);
    return task;
  }

  /** The latest first. */
  movesOf(source: Queue): readonly MoveTask[] {
    return this.#moves.filter(({ sourceArn }) => sourceArn === source.definition.arn);
  }
}

function definitionsIn(template: Template): QueueDefinition[] {
  return resourcesOf(template, 'AWS::SQS::Queue').map(({ logicalId, properties }) => {
    const { QueueName, VisibilityTimeout, RedrivePolicy } = properties;
    const { ref, attributes } = template.identityOf(logicalId);
    return {
      name: QueueName ?? attributes.QueueName ?? '',
      url: ref,
      arn: attributes.Arn ?? '',
      visibilityTimeoutSeconds: VisibilityTimeout,
      redrive: RedrivePolicy
        ? { deadLetters: RedrivePolicy.deadLetterTargetArn, maxReceiveCount: RedrivePolicy.maxReceiveCount }
        : null,
    };
  });
}

/** A message may be any text. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
