import { randomUUID } from 'node:crypto';
import { type FunctionDefinition, Instance, type InvocationResult } from './instance.ts';
import { InstanceSlots, type SlotUser } from './instance-slots.ts';

/** The most requests of one function at once. More requests wait. */
const MAX_INSTANCES = 10;

const IDLE_MS = 30_000;

/** The resources that a function has used since the start of the stack. */
export interface Usage {
  readonly invocations: number;
  /** Processor time in milliseconds, without the starts of instances. */
  readonly cpuMs: number;
  /** The size of its output. */
  readonly logBytes: number;
}

interface IdleInstance {
  readonly instance: Instance;
  readonly since: number;
  readonly timer: NodeJS.Timeout;
}

interface Waiting {
  readonly payload: string;
  readonly resolve: (result: InvocationResult) => void;
}

/** The instances of one function. More load starts more instances, and idle instances end after a while. */
export class FunctionPool implements SlotUser {
  readonly definition: FunctionDefinition;
  readonly #print: (line: string) => void;
  readonly #slots: InstanceSlots;
  readonly #instances = new Set<Instance>();
  /** The instance that has been idle longest comes first. */
  readonly #idle: IdleInstance[] = [];
  readonly #waiting: Waiting[] = [];
  #starting = 0;
  #usage: Usage = { invocations: 0, cpuMs: 0, logBytes: 0 };

  /** The slots are shared by all functions. */
  constructor(
    definition: FunctionDefinition,
    print: (line: string) => void,
    slots = new InstanceSlots(MAX_INSTANCES),
  ) {
    this.definition = definition;
    this.#print = (line) => {
      this.#use({ logBytes: Buffer.byteLength(line) });
      print(line);
    };
    this.#slots = slots;
    slots.add(this);
  }

  get usage(): Usage {
    return this.#usage;
  }

  get size(): number {
    return this.#instances.size;
  }

  get idleSince(): number | null {
    return this.#idle[0]?.since ?? null;
  }

  endIdle(): void {
    const [longest] = this.#idle;
    if (longest) void this.#forget(longest.instance);
  }

  slotIsFree(): void {
    this.#dispatch();
  }

  /** Invokes the function with an event in JSON. Never rejects. */
  invoke(payload: string): Promise<InvocationResult> {
    return new Promise((resolve) => {
      this.#waiting.push({ payload, resolve });
      this.#dispatch();
    });
  }

  /** Ends every instance at once, also during a request. */
  async kill(): Promise<void> {
    await Promise.all([...this.#instances].map((instance) => this.#forget(instance)));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      // The most recently used instance is the fastest.
      const idle = this.#idle.at(-1);
      if (!idle) break;
      if (idle.instance.isGone) {
        void this.#forget(idle.instance);
        continue;
      }
      this.#idle.pop();
      clearTimeout(idle.timer);
      const next = this.#waiting.shift();
      if (next) void this.#run(idle.instance, next);
    }
    while (
      this.#waiting.length > this.#starting &&
      this.#instances.size < MAX_INSTANCES &&
      this.#slots.take(this)
    ) {
      void this.#start();
    }
  }

  async #start(): Promise<void> {
    const instance = new Instance(this.definition, this.#print);
    this.#instances.add(instance);
    this.#starting += 1;
    const failure = await instance.started;
    this.#starting -= 1;
    if (failure) {
      void this.#forget(instance);
      this.#waiting.shift()?.resolve(failure);
      this.#dispatch();
      return;
    }
    this.#release(instance);
  }

  async #run(instance: Instance, { payload, resolve }: Waiting): Promise<void> {
    const result = await instance.handle(randomUUID(), payload);
    this.#use({ invocations: 1, cpuMs: result.cpuMs ?? 0 });
    resolve(result);
    this.#release(instance);
  }

  #use({ invocations = 0, cpuMs = 0, logBytes = 0 }: Partial<Usage>): void {
    const used = this.#usage;
    this.#usage = {
      invocations: used.invocations + invocations,
      cpuMs: used.cpuMs + cpuMs,
      logBytes: used.logBytes + logBytes,
    };
  }

  #release(instance: Instance): void {
    if (instance.isGone || !this.#instances.has(instance)) {
      void this.#forget(instance);
    } else if (this.#slots.mustYield(this)) {
      void this.#forget(instance);
    } else {
      const timer = setTimeout(() => void this.#forget(instance), IDLE_MS).unref();
      this.#idle.push({ instance, since: performance.now(), timer });
    }
    this.#dispatch();
    this.#slots.endIdle();
  }

  /** Ends an instance, also during a request. Its slot is free once its thread has ended. */
  async #forget(instance: Instance): Promise<void> {
    if (!this.#instances.delete(instance)) return;
    const index = this.#idle.findIndex((idle) => idle.instance === instance);
    for (const { timer } of index < 0 ? [] : this.#idle.splice(index, 1)) clearTimeout(timer);
    await instance.kill();
    this.#slots.free();
  }
}
