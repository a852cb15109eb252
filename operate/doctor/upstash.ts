import type { UpstashAccess } from './aws.ts';
import { whyNot } from './bounds.ts';
import { about, type Finding } from './finding.ts';

const upstash = about('Upstash');
const distance = about("Upstash's distance");
const scripts = about("Upstash's scripts");

/** In the functions' region, a call of Upstash takes 1 to 5 ms. A mark waits for two or three calls. */
const FAR_MS = 20;

const PINGS = 7;

/** Writes a key that expires after a second: this fails with a read-only token. */
const SCRIPT = `#!lua flags=allow-key-locking
return redis.call('SET', KEYS[1], ARGV[1], 'PX', 1000)`;

/** Checks that Upstash accepts the token and runs scripts, and measures its distance. */
export async function checkUpstash(access: UpstashAccess, timeoutMs: number): Promise<Finding[]> {
  const { host } = new URL(access.url);
  const call = (command: readonly string[]) => send(access, command, timeoutMs);
  const tookMs: number[] = [];
  for (let ping = 0; ping < PINGS; ping++) {
    const begun = performance.now();
    const answer = await call(['PING']);
    if ('problem' in answer) return [upstash.fail(`${host} ${answer.problem}`)];
    if (answer.result !== 'PONG') {
      return [upstash.fail(`${host} does not answer PING as Redis does: check the url in the secret.`)];
    }
    tookMs.push(performance.now() - begun);
  }
  const written = await call(['EVAL', SCRIPT, '1', 'tm:doctor', 'x']);
  const runsScripts = 'result' in written && written.result === 'OK';
  return [
    upstash.ok(`${host} accepts the token.`),
    distanceOf(tookMs),
    runsScripts
      ? scripts.ok('they run, and they may write.')
      : scripts.fail(
          `${'problem' in written ? `it ${written.problem}` : 'their answer is not that of Redis.'} Put the standard token into the secret, not the read-only one.`,
        ),
  ];
}

/** The first call connects and does not count. */
function distanceOf([, ...tookMs]: readonly number[]): Finding {
  const median = tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length / 2)] ?? 0;
  const away = `${median < 10 ? median.toFixed(1) : median.toFixed(0)} ms away from this machine`;
  return median <= FAR_MS
    ? distance.ok(`${away}.`)
    : distance.warn(
        `${away}, and each mark calls it two or three times. If it is in the region of the deployment, this is only the distance from here: to measure that of the functions, run this in the region, for example in CloudShell.`,
      );
}

type Reply = { readonly result: unknown } | { readonly problem: string };

async function send(
  { url, token }: UpstashAccess,
  command: readonly string[],
  timeoutMs: number,
): Promise<Reply> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(command),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (response.status === 401 || response.status === 403) {
      return {
        problem: `refuses the token (${response.status}): copy the REST token from Upstash's console.`,
      };
    }
    if (!response.ok) return { problem: `answers ${response.status} to ${command[0]}.` };
    return { result: (JSON.parse(text) as { readonly result?: unknown } | null)?.result };
  } catch (error) {
    return { problem: error instanceof SyntaxError ? 'does not answer with JSON.' : `${whyNot(error)}.` };
  }
}
