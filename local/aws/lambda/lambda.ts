import { totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Log } from '../../command/log.ts';
import { functionNameIn, resourcesOf } from '../cloudformation/properties.ts';
import { REGION, type Template, TemplateError } from '../cloudformation/template.ts';
import type { Callers } from '../iam/callers.ts';
import { giveUp } from '../queues/give-up.ts';
import type { Queues } from '../queues/queues.ts';
import { FunctionPool, type Usage } from './function-pool.ts';
import type { InvocationResult } from './instance.ts';
import { InstanceSlots } from './instance-slots.ts';

/** The pauses of AWS between the tries of an asynchronous invocation. */
const RETRY_DELAYS_MS = [60_000, 120_000];

/** What an instance holds, and how much of the machine's memory all of them together may hold. */
const INSTANCE_BYTES = 20 * 2 ** 20;
const SHARE_OF_MEMORY = 0.1;

/** With fewer, the functions that one call leads to end each other's instances. More are hardly ever busy at once. */
const FEWEST_INSTANCES = 32;
const MOST_INSTANCES = 128;

/** The most instances of all functions together, on a machine with this much memory in bytes. */
export function instancesFor(memory: number): number {
  const fitting = Math.floor((memory * SHARE_OF_MEMORY) / INSTANCE_BYTES);
  return Math.min(MOST_INSTANCES, Math.max(FEWEST_INSTANCES, fitting));
}

export interface LambdaOptions {
  /** Variables that every function has in addition to its own: the URLs of AWS services. */
  readonly environment: Readonly<Record<string, string>>;
  /** Returns what one of a function's own variables holds on this machine, given what the template says. */
  readonly localValue?: (name: string, value: string) => string;
  readonly queues: Queues;
  /** The factor by which pauses between tries are shorter than on AWS. */
  readonly speed: number;
  /** The principal and credentials of each function. */
  readonly callers: Pick<Callers, 'ofFunction'>;
  readonly log: Log;
  /** The most instances of all functions together; by default what fits this machine. */
  readonly maxInstances?: number;
}

interface AsyncSettings {
  readonly maxRetries: number;
  /** The queue for what is given up. Null if it is dropped. */
  readonly onFailure: string | null;
}

/** The template's functions. */
export class Lambda {
  readonly #pools = new Map<string, FunctionPool>();
  readonly #asyncSettings = new Map<string, AsyncSettings>();
  readonly #options: LambdaOptions;
  #isStopped = false;

  constructor(template: Template, options: LambdaOptions) {
    this.#options = options;
    const slots = new InstanceSlots(options.maxInstances ?? instancesFor(totalmem()));
    for (const { logicalId, properties } of resourcesOf(template, 'AWS::Lambda::Function')) {
      const { ref, attributes } = template.identityOf(logicalId);
      const { FunctionName: name = ref, Handler, Timeout, MemorySize, Code, Environment } = properties;
      const folder = template.assetDirectory(Code.S3Key);
      if (!folder) throw new TemplateError(`${logicalId}: there is no asset for its code`);
      const [file = '', exportName = ''] = Handler.split('.');
      const { accessKeyId, secretAccessKey } = options.callers.ofFunction(name);
      const definition = {
        name,
        arn: attributes.Arn ?? '',
        bundle: pathToFileURL(join(folder, `${file}.mjs`)).href,
        exportName,
        memoryMb: MemorySize,
        timeoutMs: Timeout * 1000,
        environment: {
          ...Object.fromEntries(
            Object.entries(Environment.Variables).map(([key, value]) => [
              key,
              options.localValue?.(key, value) ?? value,
            ]),
          ),
          AWS_REGION: REGION,
          AWS_LAMBDA_FUNCTION_NAME: name,
          AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(MemorySize),
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          ...options.environment,
        },
      };
      this.#pools.set(name, new FunctionPool(definition, (line) => options.log.output(name, line), slots));
    }
    for (const { properties } of resourcesOf(template, 'AWS::Lambda::EventInvokeConfig')) {
      const onFailure = properties.DestinationConfig?.OnFailure.Destination ?? null;
      if (onFailure !== null) options.queues.get(onFailure);
      this.#asyncSettings.set(functionNameIn(properties.FunctionName), {
        maxRetries: properties.MaximumRetryAttempts,
        onFailure,
      });
    }
  }

  /** Throws a TemplateError if there is no such function. */
  pool(nameOrArn: string): FunctionPool {
    const pool = this.#pools.get(functionNameIn(nameOrArn));
    if (!pool) throw new TemplateError(`there is no function ${nameOrArn}`);
    return pool;
  }

  has(name: string): boolean {
    return this.#pools.has(name);
  }

  /** The number of instances of each function. */
  sizes(): Record<string, number> {
    return Object.fromEntries([...this.#pools].map(([name, { size }]) => [name, size]));
  }

  /** The resources that each function has used since the start of the stack. */
  usages(): ReadonlyMap<string, Usage> {
    return new Map([...this.#pools].map(([name, { usage }]) => [name, usage]));
  }

  invoke(nameOrArn: string, payload: string): Promise<InvocationResult> {
    return this.pool(nameOrArn).invoke(payload);
  }

  /**
   * Invokes a function asynchronously. A failed invocation is tried again as its EventInvokeConfig prescribes, and then goes
   * to its failure destination. Resolves after the first try, so that later tries do not delay the caller's next event.
   *
   * @param settled called once the event is handled, or sent to the failure destination
   */
  async invokeAsync(
    nameOrArn: string,
    payload: string,
    settled: () => void,
    attempt = 0,
  ): Promise<InvocationResult> {
    const result = await this.invoke(nameOrArn, payload);
    if (this.#isStopped) return result;
    if (result.ok) {
      settled();
      return result;
    }
    const settings = this.#asyncSettings.get(functionNameIn(nameOrArn));
    if (!settings) throw new TemplateError(`${nameOrArn} has no EventInvokeConfig`);
    if (attempt < settings.maxRetries) {
      const pauseMs = RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)] ?? 0;
      setTimeout(() => {
        if (!this.#isStopped) void this.invokeAsync(nameOrArn, payload, settled, attempt + 1);
      }, pauseMs / this.#options.speed).unref();
      return result;
    }
    if (settings.onFailure !== null) {
      const { callers, queues, log } = this.#options;
      const { principal } = callers.ofFunction(nameOrArn);
      const body = JSON.stringify(failureOf(this.pool(nameOrArn), payload, attempt + 1, result));
      giveUp(principal, queues.get(settings.onFailure), { body, reason: result.errorMessage }, log);
    }
    settled();
    return result;
  }

  async kill(nameOrArn?: string): Promise<void> {
    const pools = nameOrArn === undefined ? [...this.#pools.values()] : [this.pool(nameOrArn)];
    await Promise.all(pools.map((pool) => pool.kill()));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.kill();
  }
}

/** The message that Lambda sends to a failure destination: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
function failureOf(
  { definition }: FunctionPool,
  payload: string,
  invocations: number,
  { errorType, errorMessage }: InvocationResult & { ok: false },
) {
  return {
    version: '1.0',
    timestamp: new Date().toISOString(),
    requestContext: {
      requestId: crypto.randomUUID(),
      functionArn: `${definition.arn}:$LATEST`,
      condition: 'RetriesExhausted',
      approximateInvokeCount: invocations,
    },
    requestPayload: JSON.parse(payload) as unknown,
    responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
    responsePayload: { errorType, errorMessage },
  };
}
