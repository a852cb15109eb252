import { whyNot } from './bounds.ts';
import { about, type Finding } from './finding.ts';

const { ok, warn, fail } = about('webhook');

/** Checks that the webhook's host answers and has a valid certificate. It sends no event, and accepts any status. */
export async function checkWebhook(url: string, timeoutMs: number): Promise<Finding> {
  const { host } = new URL(url);
  let status: number;
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
  } catch (error) {
    return fail(`${host} ${whyNot(error)}: events would wait in the dead-letter queue.`);
  }
  const isRedirect = status >= 300 && status < 400;
  return isRedirect
    ? warn(`${host} answers ${status}, a redirect, which is not followed: pass the URL that it redirects to.`)
    : ok(`${host} answers (${status}).`);
}
