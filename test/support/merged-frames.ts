import type { ServerFrame } from '../../shared/contract/server-frames.ts';

export interface Receipt {
  readonly messageId: string;
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
}

export type View = Omit<Extract<ServerFrame, { readonly type: 'view' }>, 'type' | 'asOf'>;

interface Timed<T> {
  readonly asOf: number;
  readonly value: T;
}

/**
 * What a client knows after any frames in any order: of the views of a group the one with the larger (revision, messageId,
 * preferencesRevision, asOf), of the receipts of a message the one with the larger asOf. Frames of one connection with the same asOf: the later one.
 */
export class MergedFrames {
  readonly #views = new Map<string, Timed<View>>();
  readonly #receipts = new Map<string, Timed<Receipt>>();

  add(frame: ServerFrame): void {
    if (frame.type === 'view') {
      const { type, asOf, ...view } = frame;
      this.#addView(view, asOf);
    }
    if (frame.type === 'synced') for (const view of frame.views) this.#addView(view, frame.asOf);
    if (frame.type === 'receipts') this.addReceipts(frame.groupId, frame.receipts, frame.asOf);
  }

  addReceipts(groupId: string, receipts: readonly Receipt[], asOf: number): void {
    for (const value of receipts) {
      const key = `${groupId} ${value.messageId}`;
      const known = this.#receipts.get(key);
      if (!known || asOf >= known.asOf) this.#receipts.set(key, { asOf, value });
    }
  }

  view(groupId: string): View | null {
    return this.#views.get(groupId)?.value ?? null;
  }

  receipt(groupId: string, messageId: string): Receipt | null {
    return this.#receipts.get(`${groupId} ${messageId}`)?.value ?? null;
  }

  #addView(value: View, asOf: number): void {
    const known = this.#views.get(value.groupId);
    if (!known || isAtLeast({ asOf, value }, known)) this.#views.set(value.groupId, { asOf, value });
  }
}

/** Ids are 64-bit integers; null is less than all. */
function isAtLeast(one: Timed<View>, other: Timed<View>): boolean {
  if (one.value.revision !== other.value.revision) return one.value.revision > other.value.revision;
  const [id, otherId] = [BigInt(one.value.messageId ?? 0), BigInt(other.value.messageId ?? 0)];
  if (id !== otherId) return id > otherId;
  const [choice, otherChoice] = [one.value.preferencesRevision, other.value.preferencesRevision];
  return choice === otherChoice ? one.asOf >= other.asOf : choice > otherChoice;
}
