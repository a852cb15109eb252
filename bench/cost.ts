import { FUNCTION_CORE, FUNCTION_GB, PRICES, TRACED } from './prices.ts';
import type { Use } from './use.ts';

/** The size of a line of API Gateway's access log, in the formats of infra/api.ts and infra/live.ts. */
const ACCESS_LOG_BYTES = 430;
const LIVE_ACCESS_LOG_BYTES = 320;

/** The cost of a million operations in dollars, by part. */
export interface Cost {
  /** Calls of the HTTP API; messages and minutes of WebSockets. */
  readonly gateway: number;
  /** The functions that API Gateway calls. */
  readonly functions: number;
  readonly ledger: number;
  readonly projector: number;
  readonly events: number;
  /** Frames that wait a second: their queue, and the function that pushes them. */
  readonly waitingFrames: number;
  readonly webhook: number;
  readonly logsAndTraces: number;
  /** Pay as you go, if each script is billed as one command, and if each command in a script is billed. */
  readonly redis: number;
  readonly redisWithInner: number;
}

type FunctionsPart = 'functions' | 'projector' | 'events' | 'waitingFrames' | 'webhook';

/** The functions that are not traced. All others are called by API Gateway, and traced. */
const UNTRACED: Readonly<Record<string, FunctionsPart>> = {
  'close-connection': 'functions',
  'project-ledger': 'projector',
  'publish-events': 'events',
  notify: 'events',
  'find-reminders': 'events',
  'send-reminders': 'events',
  erase: 'functions',
  'push-frames': 'waitingFrames',
  'deliver-webhook': 'webhook',
};

export function costOf(use: Use): Cost {
  const { engines, functions, events, calls, messagesIn, messagesOut, handshakes } = use;
  const parts = {
    functions: 0,
    projector: 0,
    events: events * PRICES.event,
    waitingFrames: use.queued * PRICES.queueRequest,
    webhook: 0,
  };
  let logBytes = calls * ACCESS_LOG_BYTES + (messagesIn + handshakes) * LIVE_ACCESS_LOG_BYTES;
  let traces = 0;
  for (const [name, { invocations, cpuMs, logBytes: printed }] of functions) {
    const seconds = cpuMs / FUNCTION_CORE / 1000;
    parts[UNTRACED[name] ?? 'functions'] +=
      invocations * PRICES.invocation + seconds * FUNCTION_GB * PRICES.gigabyteSecond;
    logBytes += printed;
    if (UNTRACED[name] === undefined) traces += invocations * TRACED;
    // Each invocation receives a batch and deletes it.
    const batches = 2 * invocations * PRICES.queueRequest;
    if (name === 'push-frames') parts.waitingFrames += batches;
    // Each event is sent to the queue.
    if (name === 'deliver-webhook' && invocations > 0)
      parts.webhook += batches + events * PRICES.queueRequest;
  }
  return {
    ...parts,
    gateway:
      calls * PRICES.apiCall +
      (messagesIn + messagesOut) * PRICES.webSocketMessage +
      use.connectionMinutes * PRICES.connectionMinute,
    ledger: engines.writeUnits * PRICES.writeUnit + engines.readUnits * PRICES.readUnit,
    logsAndTraces: (logBytes / 1e9) * PRICES.logGigabyte + traces * PRICES.trace,
    redis: engines.commands * PRICES.redisCommand,
    redisWithInner: engines.commandsWithInner * PRICES.redisCommand,
  };
}

/** The sums of a cost without Redis, logs and traces. */
export function totals({ gateway, functions, ledger, projector, events, waitingFrames, webhook }: Cost) {
  const core = gateway + functions + ledger + projector;
  const withEvents = core + events + waitingFrames;
  return { core, withEvents, withWebhook: withEvents + webhook };
}

/** Dollars, or a count on average. */
export const hundredths = (value: number) => value.toFixed(2);
