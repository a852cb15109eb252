import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '../local/http/api-client.ts';
import { type Stack, startStack } from '../local/stack.ts';
import { type Device, Devices } from './devices.ts';
import { type MeteredAws, startMeteredAws } from './metered-aws.ts';
import { type MeteredEngines, startMeteredEngines } from './metered-engines.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { sumOfUses, type Use } from './use.ts';

const QUIET_MS = 250;
/** The second that the webhook's queue waits to fill a batch takes a tenth of a second, well within the above. */
const SPEED = 10;
const DEADLINE_MS = 300_000;

const UNAVAILABLE = 503;
const PAUSE_MS = 100;

/** Begins the names of the functions of the local stack. */
const PREFIX = 'tidemark-local-';

/** The number of runs. The first ones warm the caches, and are not counted. */
export interface Times {
  readonly warm: number;
  readonly measured: number;
}

/** A local stack on engines that count what is billed. */
export class MeteredStack {
  readonly #stack: Stack;
  readonly #engines: MeteredEngines;
  readonly #aws: MeteredAws;
  readonly #client: ApiClient;
  readonly #devices: Devices;
  #calls = 0;
  #refused = 0;

  /** Starts a stack with these settings for a function. Stops it afterwards, also if the function throws. */
  static async use(
    context: Readonly<Record<string, string>>,
    use: (stack: MeteredStack) => Promise<void>,
  ): Promise<void> {
    await using resources = new AsyncDisposableStack();
    const temporary = resources.adopt(makeTemporaryDirectory(), (directory) => directory.remove());
    const engines = resources.adopt(await startMeteredEngines(), (started) => started.stop());
    const aws = resources.adopt(await startMeteredAws(), (started) => started.stop());
    const stack = await startStack({
      port: 0,
      dataDirectory: temporary.path,
      speed: SPEED,
      context,
      dynamodbEndpoint: engines.dynamodbEndpoint,
      redisUrl: engines.redisUrl,
      intercept: (service, url) => (service === 'aws' ? aws.standBefore(url) : url),
    });
    resources.defer(() => stack.stop());
    const metered = new MeteredStack(stack, engines, aws);
    resources.defer(() => metered.#client.close());
    await use(metered);
  }

  private constructor(stack: Stack, engines: MeteredEngines, aws: MeteredAws) {
    this.#stack = stack;
    this.#engines = engines;
    this.#aws = aws;
    this.#client = createApiClient(stack.description.apiUrl, stack.issueToken);
    this.#devices = new Devices(stack.description.wsUrl, (userId) => this.#client.userToken(userId));
  }

  /** Calls a route of back ends, again if the stack is too busy. Throws if it is refused otherwise. */
  async call(method: string, path: string, body?: unknown): Promise<void> {
    for (;;) {
      this.#calls += 1;
      const { status, text } = await this.#client.asService(method, `/v1${path}`, body);
      if (status < 300) return;
      if (status !== UNAVAILABLE) throw new Error(`${method} ${path} answered ${status}: ${text}`);
      this.#refused += 1;
      await delay(PAUSE_MS);
    }
  }

  /** Opens a connection of a user. */
  connect(userId: string): Promise<Device> {
    return this.#devices.connect(userId);
  }

  /** The average use of one run, including everything that follows from it. */
  async measure(run: (time: number) => Promise<void>, { warm, measured }: Times): Promise<Use> {
    for (let time = 0; time < warm; time += 1) await this.#settled(() => run(time));
    const before = await this.#used();
    for (let time = 0; time < measured; time += 1) await this.#settled(() => run(warm + time));
    return sumOfUses([
      [await this.#used(), 1 / measured],
      [before, -1 / measured],
    ]);
  }

  async #used(): Promise<Use> {
    const { messagesIn, messagesOut, handshakes } = this.#devices;
    return {
      engines: await this.#engines.units(),
      functions: new Map(
        [...this.#stack.lambda.usages()].map(([name, usage]) => [name.replace(PREFIX, ''), usage]),
      ),
      events: this.#stack.bus.events.length,
      calls: this.#calls,
      refused: this.#refused,
      ...{ messagesIn, messagesOut, handshakes },
      // The devices of this bench are connected for seconds.
      connectionMinutes: 0,
      queued: this.#aws.messagesQueued,
    };
  }

  /** Makes a call, and waits until everything that follows from it has been processed. */
  async #settled(call: () => Promise<void>): Promise<void> {
    await call();
    const begun = performance.now();
    let [seen, since] = [this.#invocations(), begun];
    while (performance.now() - since < QUIET_MS) {
      if (performance.now() - begun > DEADLINE_MS)
        throw new Error('the work that follows from a call does not end');
      await delay(10);
      const now = this.#invocations();
      if (now !== seen || this.#hasMessages()) [seen, since] = [now, performance.now()];
    }
  }

  #invocations(): number {
    return [...this.#stack.lambda.usages().values()].reduce((sum, { invocations }) => sum + invocations, 0);
  }

  /** Whether a queue holds a message, also one that waits for its time. */
  #hasMessages(): boolean {
    return this.#stack.queues.find((queue) => queue.messages().length > 0) !== undefined;
  }
}
