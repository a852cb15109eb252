import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

export interface FunctionDefinition {
  readonly name: string;
  readonly arn: string;
  /** The path of the bundle. */
  readonly bundle: string;
  readonly exportName: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
}

export interface InstanceData {
  readonly bundle: string;
  readonly exportName: string;
  readonly functionName: string;
  readonly functionArn: string;
  readonly memoryMb: number;
}

export interface Invocation {
  readonly requestId: string;
  readonly payload: string;
  readonly deadlineMs: number;
}

export type InvocationResult = (
  | { readonly ok: true; readonly payload: string }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string }
) & {
  /** The invocation's processor time; absent if the instance ended before it could report it. */
  readonly cpuMs?: number;
};

/**
 * The largest response, in bytes of JSON
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
 */
const MAX_ANSWER_BYTES = 6_291_556;

const WORKER = fileURLToPath(new URL('./instance-worker.mjs', import.meta.url));

/** One instance of a function, on its own thread. It handles one request at a time, and can be killed at any time. */
export class Instance {
  /** Resolves to null when the function has started, or to the failure of the start. */
  readonly started: Promise<InvocationResult | null>;
  readonly #definition: FunctionDefinition;
  readonly #worker: Worker;
  #answer: ((result: InvocationResult) => void) | null = null;
  #isGone = false;

  constructor(definition: FunctionDefinition, print: (line: string) => void) {
    const { name, arn, bundle, exportName, memoryMb, environment } = definition;
    this.#definition = definition;
    this.#worker = new Worker(WORKER, {
      workerData: {
        bundle,
        exportName,
        functionName: name,
        functionArn: arn,
        memoryMb,
      } satisfies InstanceData,
      env: { ...environment },
      execArgv: [],
      // A small young generation: ten instances of each of a dozen functions share the machine.
      resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 8 },
      stdout: true,
      stderr: true,
    });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => print(text.trimEnd()));
    }
    this.started = new Promise((resolve) => {
      this.#worker.once('message', () => resolve(null));
      this.#worker.on('error', (error: Error) => {
        const failure = { ok: false, errorType: error.name, errorMessage: error.message } as const;
        resolve(failure);
        this.#end(failure);
      });
      this.#worker.once('exit', () => {
        const failure = {
          ok: false,
          errorType: 'Runtime.ExitError',
          errorMessage: 'the instance ended',
        } as const;
        resolve(failure);
        this.#end(failure);
      });
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Handles one request. An instance that does not answer in time is killed. Never rejects. */
  async handle(requestId: string, payload: string): Promise<InvocationResult> {
    if (this.#isGone)
      return { ok: false, errorType: 'Runtime.ExitError', errorMessage: 'the instance ended' };
    const { timeoutMs } = this.#definition;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const errorMessage = `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
        this.#end({ ok: false, errorType: 'Sandbox.Timedout', errorMessage });
        void this.kill();
      }, timeoutMs);
      this.#answer = (result) => {
        clearTimeout(timer);
        this.#answer = null;
        resolve(result);
      };
      this.#worker.once('message', (result: InvocationResult) => this.#answer?.(withinLimit(result)));
      this.#worker.postMessage({
        requestId,
        payload,
        deadlineMs: Date.now() + timeoutMs,
      } satisfies Invocation);
    });
  }

  /** Ends it at once, also during a request. */
  async kill(): Promise<void> {
    this.#isGone = true;
    await this.#worker.terminate();
  }

  #end(failure: InvocationResult): void {
    this.#isGone = true;
    this.#answer?.(failure);
  }
}

function withinLimit(result: InvocationResult): InvocationResult {
  if (!result.ok || Buffer.byteLength(result.payload) <= MAX_ANSWER_BYTES) return result;
  return {
    ok: false,
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_ANSWER_BYTES} bytes).`,
  };
}
