import { parentPort, workerData } from 'node:worker_threads';
import { startUpstashRest, type UpstashRestOptions } from '../local/engines/upstash-rest.ts';

/* The REST front in its own thread, so that it and its callers do not wait for each other. */
const { url } = await startUpstashRest(workerData as UpstashRestOptions);
parentPort?.postMessage(url);
