/**
 * Prices in dollars for a million, in us-east-1 on demand, in November 2026. The price of X-Ray is for recorded traces,
 * which by default are five of a hundred.
 */
export const PRICES = {
  apiCall: 1.0,
  invocation: 0.2,
  /** On arm64. */
  gigabyteSecond: 13.3334,
  writeUnit: 0.625,
  readUnit: 0.125,
  /** For each 64 KB of an event. */
  event: 1.0,
  queueRequest: 0.4,
  /** Upstash, pay as you go. A fixed plan does not bill commands. */
  redisCommand: 2.0,
  logGigabyte: 500_000,
  trace: 5.0,
} as const;

/** The share of traces that X-Ray records with its default rule, above one trace a second. */
export const TRACED = 0.05;

/** The memory of a function, and its share of a processor: 1,769 MB are one processor. */
export const FUNCTION_GB = 256 / 1024;
export const FUNCTION_CORE = 256 / 1769;
