/** A dead-letter queue of a deployment, by the name of its function. */
export interface ParkedQueue {
  readonly functionName: string;
  /** What sends to it: a queue, to which SQS can move messages back, or Lambda, whose messages must be invoked again. */
  readonly from: 'queue' | 'lambda';
  /** The effect if the records are gone from the stream: what is lost, and what is repaired by itself. */
  readonly forgotten: string;
}

const NEVER_FORGOTTEN = '';

export const PARKED_QUEUES: readonly ParkedQueue[] = [
  { functionName: 'apply-facts', from: 'queue', forgotten: NEVER_FORGOTTEN },
  { functionName: 'deliver-webhook', from: 'queue', forgotten: NEVER_FORGOTTEN },
  { functionName: 'erase', from: 'queue', forgotten: NEVER_FORGOTTEN },
  { functionName: 'notify', from: 'lambda', forgotten: NEVER_FORGOTTEN },
  {
    functionName: 'project-ledger',
    from: 'lambda',
    forgotten:
      'the ledger has the marks, but the cache may keep older ones: empty it with FLUSHDB, and it fills again; ' +
      'a GroupFullyRead may be missing until a member reads further; ' +
      'an erasure that began then has not started: repeat its DELETE',
  },
  {
    functionName: 'publish-events',
    from: 'lambda',
    forgotten:
      'these events are lost; the next event of the same member has its whole state; ' +
      'of an erasure that ended no event comes: repeat its DELETE',
  },
  { functionName: 'push-frames', from: 'queue', forgotten: NEVER_FORGOTTEN },
  { functionName: 'send-reminders', from: 'queue', forgotten: NEVER_FORGOTTEN },
];

/** The dead-letter queue's name without the stack's. */
export const labelOf = ({ functionName }: ParkedQueue): string => `${functionName}-dead-letters`;
