// Plain JavaScript: a thread that starts from TypeScript takes twice the memory.
import { parentPort, workerData } from 'node:worker_threads';

/** One instance of a function. It has its own module state and environment, and handles one request at a time. */
const { bundle, exportName, functionName, functionArn, memoryMb } = workerData;

// One line for each message, like Lambda with the log format JSON.
for (const level of ['debug', 'info', 'warn', 'error']) {
  console[level] = (...values) => {
    const message = values.length === 1 ? values[0] : values;
    const line = JSON.stringify({ level: level.toUpperCase(), message }, readable);
    (level === 'error' ? process.stderr : process.stdout).write(`${line}\n`);
  };
}

const { [exportName]: handler } = await import(bundle);
if (typeof handler !== 'function') throw new Error(`${bundle} does not export ${exportName}`);

parentPort.on('message', async ({ requestId, payload, deadlineMs }) => {
  const context = {
    awsRequestId: requestId,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn,
    memoryLimitInMB: String(memoryMb),
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
  const before = process.threadCpuUsage();
  const answer = (result) => {
    const { user, system } = process.threadCpuUsage(before);
    parentPort.postMessage({ ...result, cpuMs: (user + system) / 1000 });
  };
  try {
    const returned = await handler(JSON.parse(payload), context);
    answer({ ok: true, payload: JSON.stringify(returned ?? null) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
    console.error(error);
    answer({ ok: false, errorType: name, errorMessage: message });
  }
});
parentPort.postMessage('ready');

/** Makes errors visible in JSON: they have no enumerable properties. */
function readable(_key, value) {
  if (!(value instanceof Error)) return value;
  return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
