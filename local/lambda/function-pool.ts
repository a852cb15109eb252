import { randomUUID } from 'node:crypto';
import { type FunctionDefinition, Instance, type InvocationResult } from './instance.ts';

/** So many requests of one function run at once here; more of them wait. */
const MAX_INSTANCES = 10;

const IDLE_MS = 30_000;

interface Waiting {
  readonly payload: string;
  readonly resolve: (result: InvocationResult) => void;
}

/** The instances of one function: more load starts more of them, and idle ones end after a while. */
export class FunctionPool {
  readonly definition: FunctionDefinition;
  readonly #print: (line: string) => void;
  readonly #instances = new Set<Instance>();
  readonly #idle: Instance[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #idleTimers = new Map<Instance, NodeJS.Timeout>();

  constructor(definition: FunctionDefinition, print: (line: string) => void) {
    this.definition = definition;
    this.#print = print;
  }

  get size(): number {
    return this.#instances.size;
  }

  /** Runs the function on an event in JSON. Never rejects. */
  invoke(payload: string): Promise<InvocationResult> {
    return new Promise((resolve) => {
      this.#waiting.push({ payload, resolve });
      this.#dispatch();
    });
  }

  /** Ends every instance at once, in the middle of what they do. */
  async kill(): Promise<void> {
    const instances = [...this.#instances];
    for (const instance of instances) this.#forget(instance);
    await Promise.all(instances.map((instance) => instance.kill()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      // The instance used last is the warmest.
      const instance = this.#idle.pop();
      if (!instance) {
        if (this.#instances.size < MAX_INSTANCES) void this.#start();
        return;
      }
      clearTimeout(this.#idleTimers.get(instance));
      if (instance.isGone) {
        this.#forget(instance);
        continue;
      }
      const next = this.#waiting.shift();
      if (next) void this.#run(instance, next);
    }
  }

  async #start(): Promise<void> {
    const instance = new Instance(this.definition, this.#print);
    this.#instances.add(instance);
    const failure = await instance.started;
    if (failure) {
      this.#forget(instance);
      this.#waiting.shift()?.resolve(failure);
      this.#dispatch();
      return;
    }
    this.#release(instance);
  }

  async #run(instance: Instance, { payload, resolve }: Waiting): Promise<void> {
    const result = await instance.handle(randomUUID(), payload);
    resolve(result);
    this.#release(instance);
  }

  #release(instance: Instance): void {
    if (instance.isGone || !this.#instances.has(instance)) {
      this.#forget(instance);
    } else {
      this.#idle.push(instance);
      const timer = setTimeout(() => {
        this.#forget(instance);
        void instance.kill();
      }, IDLE_MS);
      this.#idleTimers.set(instance, timer.unref());
    }
    this.#dispatch();
  }

  #forget(instance: Instance): void {
    clearTimeout(this.#idleTimers.get(instance));
    this.#idleTimers.delete(instance);
    this.#instances.delete(instance);
    const index = this.#idle.indexOf(instance);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}
