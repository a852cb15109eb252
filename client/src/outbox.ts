import { checkMessageId, isAbove } from './message-id.ts';

/** A mark that the service has not acknowledged. */
export interface PendingMark {
  readonly messageId: string;
  readonly private: boolean;
  /** The revision of the own view when the message was shown; absent where it was not known. */
  readonly ifRevision?: number | undefined;
}

/**
 * Where marks survive a reload, such as `localStorage`. `set` with null removes. Both may return promises.
 */
export interface MarkStorage {
  get(key: string): string | null | undefined | Promise<string | null | undefined>;
  set(key: string, value: string | null): unknown;
}

export interface Outbox {
  /** The marks of an earlier page, by group. Throws what the storage throws. */
  read(): Promise<ReadonlyMap<string, readonly PendingMark[]>>;
  /** Stores the marks of a group in place of those up to `done`, which need not be sent any more. */
  write(groupId: string, marks: readonly PendingMark[], done: string | null): void;
}

/** One mark stands for many: at most a public one is left, and a private one above it. */
export function withMark(marks: readonly PendingMark[], mark: PendingMark): readonly PendingMark[] {
  if (marks.some((one) => (mark.private || !one.private) && !isAbove(mark.messageId, one.messageId))) {
    return marks;
  }
  const left = marks.filter((one) =>
    mark.private ? !one.private : one.private && isAbove(one.messageId, mark.messageId),
  );
  return mark.private ? [...left, mark] : [mark, ...left];
}

/**
 * All groups are under one key, so that marks are sent after a reload in whichever group the user looks at then. Other tabs
 * use the same storage: a change keeps what they have stored. A storage that fails is reported, and marks are sent all the
 * same.
 */
export function createOutbox(
  storage: MarkStorage | undefined,
  userId: string,
  onError: (error: unknown) => void,
): Outbox {
  const key = `tidemark:${userId}`;
  const read = async () => parse(await storage?.get(key));
  let last: Promise<unknown> = Promise.resolve();

  return {
    read,

    write(groupId, marks, done) {
      const change = async () => {
        const stored = await read();
        const others = (stored.get(groupId) ?? []).filter(({ messageId }) => isAbove(messageId, done));
        stored.set(groupId, marks.reduce(withMark, others));
        const left = [...stored].filter(([, some]) => some.length > 0);
        await storage?.set(key, left.length > 0 ? JSON.stringify(Object.fromEntries(left)) : null);
      };
      last = last.then(change).catch(onError);
    },
  };
}

/** Text that is damaged, or that another program has stored, counts as no marks. */
function parse(text: string | null | undefined): Map<string, readonly PendingMark[]> {
  try {
    const groups = Object.entries(JSON.parse(text ?? '{}') as Record<string, readonly PendingMark[]>);
    for (const { messageId } of groups.flatMap(([, marks]) => marks)) checkMessageId(messageId);
    return new Map(groups);
  } catch {
    return new Map();
  }
}
