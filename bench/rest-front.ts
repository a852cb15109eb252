import { parentPort, workerData } from 'node:worker_threads';
import { startUpstashRest, type UpstashRestOptions } from '../local/engines/upstash-rest.ts';

/* The REST front in a thread of its own, so that its work and its callers' do not wait for each other. */
const { url } = await startUpstashRest(workerData as UpstashRestOptions);
parentPort?.postMessage(url);
