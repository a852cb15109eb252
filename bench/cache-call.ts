import '@aws-sdk/client-dynamodb';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Redis } from '@upstash/redis';
import { type CacheCredentials, Upstash } from '../shared/cache/upstash.ts';
import { type Bounds, quantile, runRound } from './measurement.ts';

/*
 * Calls the cache in a new process that has loaded the modules of every function, and prints the durations. Its arguments
 * are the HTTP client and the URL.
 */
const clientArguments = JSON.parse(process.argv[2] ?? '') as Parameters<typeof clientOf>;

function clientOf(name: 'fetch' | 'sdk', credentials: CacheCredentials) {
  return name === 'sdk'
    ? new Upstash(credentials, new NodeHttpHandler()).client(() => 10_000)
    : new Redis({
        ...credentials,
        automaticDeserialization: false,
        responseEncoding: false,
        enableAutoPipelining: false,
        enableTelemetry: false,
        signal: () => AbortSignal.timeout(10_000),
      });
}

const WARM_UP: Bounds = { calls: 1_000, ms: 5_000 };
const MEASURED: Bounds = { calls: 1_000, ms: 5_000 };

const client = clientOf(...clientArguments);
const call = async () => {
  await client.get('none');
};
const cpuMs = async (work: () => Promise<unknown>) => {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

const rssBefore = process.memoryUsage.rss();
const firstCpuMs = await cpuMs(call);
const firstRssMb = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
await runRound(1, WARM_UP, call);
let latencies: readonly number[] = [];
const warmCpuMs = await cpuMs(async () => {
  ({ latencies } = await runRound(1, MEASURED, call));
});
console.log(
  JSON.stringify({
    firstCpuMs,
    firstRssMb,
    p50: quantile(latencies, 0.5),
    cpuMs: warmCpuMs / latencies.length,
  }),
);
process.exit();
