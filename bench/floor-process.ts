import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Round } from './measurement.ts';
import type { FloorRequest, FloorSetting } from './operations.ts';

const FLOOR = fileURLToPath(new URL('./floor.ts', import.meta.url));

export interface FloorProcess {
  /** Runs one round. Only one round may run at a time. */
  run(request: FloorRequest): Promise<Round>;
  stop(): void;
}

/** Starts the floor in its own process, so that the clients of both sides do not slow each other. */
export async function startFloor(setting: FloorSetting): Promise<FloorProcess> {
  const child = fork(FLOOR, [JSON.stringify(setting)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const gone = new AbortController();
  child.once('exit', () => gone.abort(new Error('the floor has ended')));
  const answer = async (): Promise<unknown> => {
    const [message] = await once(child, 'message', { signal: gone.signal });
    return message;
  };
  await answer();
  return {
    async run(request) {
      const answered = answer();
      child.send(request);
      return (await answered) as Round;
    },
    stop: () => child.kill(),
  };
}
