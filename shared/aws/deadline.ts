import { AsyncLocalStorage } from 'node:async_hooks';
import { NodeHttpHandler } from '@smithy/node-http-handler';

const deadlines = new AsyncLocalStorage<AbortSignal>();

/**
 * Runs work whose calls of other systems end when `deadline` is aborted: a call under way fails, and a later one fails
 * before it is sent. The work may catch this and still return what it has. Inside of other such work the earlier
 * deadline counts.
 */
export function callUntil<T>(deadline: AbortSignal, work: () => Promise<T>): Promise<T> {
  const outer = deadlines.getStore();
  return deadlines.run(outer ? AbortSignal.any([outer, deadline]) : deadline, work);
}

/**
 * Sends requests until the deadline of the work that makes them. Lambda freezes an instance after its answer and wakes
 * it for the next one, maybe minutes later: without this, work that a timeout has cut off would go on then, and could
 * undo what was written in the meantime.
 */
export class BoundedHttpHandler extends NodeHttpHandler {
  override async handle(...[request, options = {}]: Parameters<NodeHttpHandler['handle']>) {
    const deadline = deadlines.getStore();
    // Not the signal's own reason: a TimeoutError would be tried again by the SDK.
    if (deadline?.aborted) throw new Error('the deadline has passed', { cause: deadline.reason });
    // A caller with a signal has a shorter bound of its own.
    return super.handle(
      request,
      options.abortSignal || !deadline ? options : { ...options, abortSignal: deadline },
    );
  }
}
