/**
 * Dollars for a million of each, in us-east-1 on demand, in November 2026. Those of X-Ray are for traces that are recorded,
 * which by default are five of a hundred.
 */
export const PRICES = {
  apiCall: 1.0,
  invocation: 0.2,
  /** On arm64. */
  gigabyteSecond: 13.3334,
  writeUnit: 0.625,
  readUnit: 0.125,
  /** 64 KB of an event each. */
  event: 1.0,
  queueRequest: 0.4,
  /** Upstash, pay as you go; a fixed plan bills none. */
  redisCommand: 2.0,
  logGigabyte: 500_000,
  trace: 5.0,
} as const;

/** The share of traces that X-Ray records by its default rule, once there is more than one a second. */
export const TRACED = 0.05;

/** Memory of a function, and the share of a processor that comes with it: 1,769 MB are one. */
export const FUNCTION_GB = 256 / 1024;
export const FUNCTION_CORE = 256 / 1769;
