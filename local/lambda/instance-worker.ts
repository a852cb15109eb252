import { parentPort, workerData } from 'node:worker_threads';
import type { InstanceData, Invocation, InvocationResult } from './instance.ts';

/** One instance of a function: its own module state and environment, one request at a time. */
const { bundle, exportName, functionName, memoryMb } = workerData as InstanceData;

// As Lambda does for functions whose log format is JSON: one line for each message.
for (const level of ['debug', 'info', 'warn', 'error'] as const) {
  console[level] = (...values: unknown[]) => {
    const line = JSON.stringify(
      { level: level.toUpperCase(), message: values.length === 1 ? values[0] : values },
      readable,
    );
    (level === 'error' ? process.stderr : process.stdout).write(`${line}\n`);
  };
}

type Handler = (event: unknown, context: unknown) => unknown;
const loaded = (await import(bundle)) as Record<string, unknown>;
const handler = loaded[exportName];
if (typeof handler !== 'function') throw new Error(`${bundle} does not export ${exportName}`);

parentPort?.on('message', async ({ requestId, payload, deadlineMs }: Invocation) => {
  const context = {
    awsRequestId: requestId,
    functionName,
    functionVersion: '$LATEST',
    memoryLimitInMB: String(memoryMb),
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
  let result: InvocationResult;
  try {
    const returned = await (handler as Handler)(JSON.parse(payload), context);
    result = { ok: true, payload: JSON.stringify(returned ?? null) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
    console.error(error);
    result = { ok: false, errorType: name, errorMessage: message };
  }
  parentPort?.postMessage(result);
});
parentPort?.postMessage('ready');

/** Errors have no enumerable properties of their own. */
function readable(_key: string, value: unknown): unknown {
  return value instanceof Error
    ? { name: value.name, message: value.message, stack: value.stack, cause: value.cause }
    : value;
}
