import type { UserId } from './ids.ts';

/** Whose data an erasure takes away. */
export type Subject = { readonly kind: 'user'; readonly userId: UserId };

/** An erasure that is under way. */
export interface Erasure {
  readonly subject: Subject;
  /** What began after this time stays. Milliseconds since the epoch. */
  readonly begunAtMs: number;
}
