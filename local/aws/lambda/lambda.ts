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

/** How long AWS waits before it invokes again as an event. */
const RETRY_DELAYS_MS = [60_000, 120_000];

/** Instances of all functions together: with the engines, the local stack stays well below its 1.5 GB. */
const MAX_INSTANCES_OF_ALL = 32;

export interface LambdaOptions {
  /** What every function's environment has besides its own: where AWS is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Returns what one of a function's own variables holds on this machine, given what the template says. */
  readonly localValue?: (name: string, value: string) => string;
  readonly queues: Queues;
  /** How many times faster than on AWS the pauses between tries pass. */
  readonly speed: number;
  /** Who each function is when it calls. */
  readonly callers: Pick<Callers, 'ofFunction'>;
  readonly log: Log;
}

interface AsyncSettings {
  readonly maxRetries: number;
  readonly onFailure: string;
}

/** The template's functions. */
export class Lambda {
  readonly #pools = new Map<string, FunctionPool>();
  readonly #asyncSettings = new Map<string, AsyncSettings>();
  readonly #options: LambdaOptions;
  #isStopped = false;

  constructor(template: Template, options: LambdaOptions) {
    this.#options = options;
    const slots = new InstanceSlots(MAX_INSTANCES_OF_ALL);
    for (const { logicalId, properties } of resourcesOf(template, 'AWS::Lambda::Function')) {
      const { FunctionName: name, Handler, Timeout, MemorySize, Code, Environment } = properties;
      const folder = template.assetDirectory(Code.S3Key);
      if (!folder) throw new TemplateError(`${logicalId}: there is no asset for its code`);
      const [file = '', exportName = ''] = Handler.split('.');
      const { accessKeyId, secretAccessKey } = options.callers.ofFunction(name);
      const definition = {
        name,
        arn: template.identityOf(logicalId).attributes.Arn ?? '',
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
      const onFailure = properties.DestinationConfig.OnFailure.Destination;
      options.queues.get(onFailure);
      this.#asyncSettings.set(functionNameIn(properties.FunctionName), {
        maxRetries: properties.MaximumRetryAttempts,
        onFailure,
      });
    }
  }

  /** Throws where there is no such function: something in the template refers to nothing. */
  pool(nameOrArn: string): FunctionPool {
    const pool = this.#pools.get(functionNameIn(nameOrArn));
    if (!pool) throw new TemplateError(`there is no function ${nameOrArn}`);
    return pool;
  }

  has(name: string): boolean {
    return this.#pools.has(name);
  }

  /** How many instances each function has. */
  sizes(): Record<string, number> {
    return Object.fromEntries([...this.#pools].map(([name, { size }]) => [name, size]));
  }

  /** What each function has used since the stack started. */
  usages(): ReadonlyMap<string, Usage> {
    return new Map([...this.#pools].map(([name, { usage }]) => [name, usage]));
  }

  invoke(nameOrArn: string, payload: string): Promise<InvocationResult> {
    return this.pool(nameOrArn).invoke(payload);
  }

  /**
   * Invokes as an event: what fails is tried again as its EventInvokeConfig says, then goes to its failure
   * destination. Resolves once either has happened; a try that follows does not hold up the caller's next event.
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
    const { callers, queues, log } = this.#options;
    const { principal } = callers.ofFunction(nameOrArn);
    const body = JSON.stringify(failureOf(this.pool(nameOrArn), payload, attempt + 1, result));
    giveUp(principal, queues.get(settings.onFailure), { body, reason: result.errorMessage }, log);
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

/** What Lambda sends to a failure destination: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
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
