import type { Log } from '../../command/log.ts';
import { functionNameIn, resourcesOf, SCHEDULED_TIME } from '../cloudformation/properties.ts';
import { type Template, TemplateError } from '../cloudformation/template.ts';
import { rolePrincipal } from '../iam/function-roles.ts';
import type { Lambda } from '../lambda/lambda.ts';

export interface SchedulesOptions {
  readonly lambda: Pick<Lambda, 'invokeAsync' | 'pool'>;
  readonly log: Log;
  readonly nowMs: () => number;
}

interface Schedule {
  readonly functionName: string;
  readonly input: string;
}

const MINUTE_MS = 60_000;

/**
 * The template's schedules of EventBridge Scheduler. Each invokes its function at each full minute. Their clock can be turned
 * forward: then all minutes up to that time come at once, in order. Afterwards they go by the machine's time again, as the
 * functions always do.
 */
export class Schedules {
  readonly #schedules: readonly Schedule[];
  readonly #options: SchedulesOptions;
  /** The latest minute of the machine's time that was begun, or was over before. */
  #latestMs: number;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;
  /** Ends when all times so far have ended. */
  #times: Promise<unknown> = Promise.resolve();

  /** Throws a TemplateError if a schedule has no function, or if its role may not invoke it. */
  constructor(template: Template, options: SchedulesOptions) {
    this.#options = options;
    this.#latestMs = Math.floor(options.nowMs() / MINUTE_MS) * MINUTE_MS;
    this.#schedules = resourcesOf(template, 'AWS::Scheduler::Schedule').map(
      ({ logicalId, properties: { Target } }) => {
        options.lambda.pool(Target.Arn);
        if (!rolePrincipal(template, Target.RoleArn).allows('lambda:InvokeFunction', Target.Arn)) {
          throw new TemplateError(`${logicalId}: its role may not invoke ${Target.Arn}`);
        }
        return { functionName: functionNameIn(Target.Arn), input: Target.Input };
      },
    );
  }

  start(): void {
    this.#waitForNext();
  }

  /**
   * Plays the time up to this many seconds from now: each full minute, and at last the time itself, which it returns in ms when
   * the functions have ended.
   */
  async advance(seconds: number): Promise<number> {
    const now = this.#options.nowMs();
    // EventBridge Scheduler gives whole seconds: the next one, so that the whole duration is over by then.
    const untilMs = Math.ceil(now / 1_000 + seconds) * 1_000;
    const times = minutesBetween(now, untilMs);
    for (const timeMs of times.at(-1) === untilMs ? times : [...times, untilMs]) this.#begin(timeMs);
    await this.#times;
    this.#options.log.line(`the schedules were played up to ${new Date(untilMs).toISOString()}`);
    return untilMs;
  }

  /** Waits for the function that is under way, and begins no other. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#times;
  }

  #waitForNext(): void {
    if (this.#isStopped || this.#schedules.length === 0) return;
    const waitMs = this.#latestMs + MINUTE_MS - this.#options.nowMs();
    this.#timer = setTimeout(
      () => {
        for (const minuteMs of minutesBetween(this.#latestMs, this.#options.nowMs())) {
          this.#latestMs = minuteMs;
          this.#begin(minuteMs);
        }
        this.#waitForNext();
      },
      Math.max(0, waitMs),
    ).unref();
  }

  /** Begins a time after those before it have ended. */
  #begin(timeMs: number): void {
    this.#times = this.#times.then(() => this.#invokeAll(timeMs));
  }

  async #invokeAll(timeMs: number): Promise<void> {
    if (this.#isStopped) return;
    const { lambda, log } = this.#options;
    const time = `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
    for (const { functionName, input } of this.#schedules) {
      try {
        const payload = input.replaceAll(SCHEDULED_TIME, time);
        const result = await lambda.invokeAsync(functionName, payload, () => undefined);
        if (!result.ok) log.line(`schedule of ${functionName} failed: ${result.errorMessage}`);
      } catch (error) {
        log.line(`schedule of ${functionName} failed: ${String(error)}`);
      }
    }
  }
}

/** The full minutes after a time, up to and with another one. */
function minutesBetween(afterMs: number, untilMs: number): number[] {
  const first = Math.floor(afterMs / MINUTE_MS) + 1;
  const count = Math.max(0, Math.floor(untilMs / MINUTE_MS) - first + 1);
  return Array.from({ length: count }, (_, index) => (first + index) * MINUTE_MS);
}
