/** A dead-letter queue of a deployment, by the name of its function. */
export interface ParkedQueue {
  readonly functionName: string;
  /** What gives up into it: a queue, whose messages SQS moves back, or Lambda, whose messages name what to do again. */
  readonly from: 'queue' | 'lambda';
  /** What is lost where the stream has forgotten the records, and what heals by itself. */
  readonly forgotten: string;
}

const NEVER_FORGOTTEN = '';

export const PARKED_QUEUES: readonly ParkedQueue[] = [
  { functionName: 'apply-facts', from: 'queue', forgotten: NEVER_FORGOTTEN },
  { functionName: 'deliver-webhook', from: 'queue', forgotten: NEVER_FORGOTTEN },
  { functionName: 'notify', from: 'lambda', forgotten: NEVER_FORGOTTEN },
  {
    functionName: 'project-ledger',
    from: 'lambda',
    forgotten:
      'the ledger has the marks, but the cache may keep older ones: flush it with FLUSHDB, it fills again; ' +
      'a GroupFullyRead may be missing until somebody reads on',
  },
  {
    functionName: 'publish-events',
    from: 'lambda',
    forgotten: 'these events are lost; the next event of the same member tells where it stands',
  },
  { functionName: 'push-frames', from: 'queue', forgotten: NEVER_FORGOTTEN },
];

/** The dead-letter queue's name without the stack's. */
export const labelOf = ({ functionName }: ParkedQueue): string => `${functionName}-dead-letters`;
