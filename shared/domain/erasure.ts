import type { GroupId, UserId } from './ids.ts';

/** What an erasure takes away: all of a user, or all of a group. */
export type Subject =
  | { readonly kind: 'user'; readonly userId: UserId }
  | { readonly kind: 'group'; readonly groupId: GroupId };

/** An erasure that is under way. */
export interface Erasure {
  readonly subject: Subject;
  /** What began after this time stays. Milliseconds since the epoch of Unix; of a group the epoch that its deletion has set. */
  readonly begunAtMs: number;
}
