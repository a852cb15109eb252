import type { GroupId } from './ids.ts';
import { laterOf, type Position, START } from './position.ts';

/** Who may see the receipts of a message: every member of the group, only the sender of the message, or nobody. */
export type ReceiptsPolicy = (typeof RECEIPTS_POLICIES)[number];

export const RECEIPTS_POLICIES = ['members', 'sender', 'off'] as const;

/** What a back end has set for a group. */
export interface GroupSettings {
  /** Grows with each change, so two copies with the same revision are equal. 0: nothing was ever set. */
  readonly revision: number;
  /** The group that this one is a thread of. It is set once; null until then. */
  readonly parentId: GroupId | null;
  readonly receipts: ReceiptsPolicy;
}

/** How far the messages of a group reach, and what was set for the group. Deleting messages changes nothing of it. */
export interface Head {
  /**
   * When the group was last deleted, in milliseconds since the epoch of Unix; 0 if it never was. Compared before all else: the
   * group begins again with each deletion.
   */
  readonly epoch: number;
  /** The largest id of a recorded message; the start if no message is recorded. */
  readonly position: Position;
  /** The same without silent messages, so never above `position`; the start if there is none. */
  readonly loud: Position;
  readonly settings: GroupSettings;
}

/** The head of a group that nothing is known of. */
export const NO_HEAD: Head = {
  epoch: 0,
  position: START,
  loud: START,
  settings: { revision: 0, parentId: null, receipts: 'members' },
};

/**
 * Merges two copies: the larger epoch; within one epoch the larger positions, and the settings of the larger revision.
 * Commutative, associative, idempotent.
 */
export function mergeHeads(a: Head, b: Head): Head {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b;
  return {
    epoch: a.epoch,
    position: laterOf(a.position, b.position),
    loud: laterOf(a.loud, b.loud),
    settings: a.settings.revision >= b.settings.revision ? a.settings : b.settings,
  };
}

/**
 * Whether a membership of this generation, or a message recorded at this time, counts: the group was not deleted at that time
 * or later. Times are milliseconds.
 */
export function isAfterEpoch({ epoch }: Pick<Head, 'epoch'>, time: number): boolean {
  return epoch === 0 || time > epoch;
}
