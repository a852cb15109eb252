import { type Position, START } from './position.ts';

/** Which messages of a group the member wants to be notified of. */
export const NOTIFY_LEVELS = ['all', 'mentions', 'none'] as const;
export type NotifyLevel = (typeof NOTIFY_LEVELS)[number];

/** `untilNew`: until a message comes that is not silent. `always`: until the member takes the group out. */
export const ARCHIVE_MODES = ['no', 'untilNew', 'always'] as const;
export type ArchiveMode = (typeof ARCHIVE_MODES)[number];

/** What a member wants of a group. Only the member sees it. One register, ordered by its revision. */
export interface Preferences {
  /** 0 for a member who never changed anything. Each change adds 1. */
  readonly revision: number;
  /** When they last changed, in milliseconds since the epoch; null if they never did. */
  readonly at: number | null;
  readonly notify: NotifyLevel;
  /** Milliseconds since the epoch; null if the group is not muted. A time that has passed does not mute either. */
  readonly mutedUntil: number | null;
  /** Every reading and sending is private: only the own view moves. */
  readonly hideReceipts: boolean;
  readonly archive: ArchiveMode;
  /** With `untilNew`, the newest message that was not silent when the member archived the group; otherwise the start. */
  readonly archivedAt: Position;
}

/** The values that one call changes. Those that are absent or undefined stay as they are. */
export type PreferencesPatch = {
  readonly [Name in keyof Omit<Preferences, 'revision' | 'at'>]?: Preferences[Name] | undefined;
};

export const NO_PREFERENCES: Preferences = {
  revision: 0,
  at: null,
  notify: 'all',
  mutedUntil: null,
  hideReceipts: false,
  archive: 'no',
  archivedAt: START,
};

/** The last millisecond of the year 9999, the last one of RFC 3339. */
export const LAST_TIME_MS = 253_402_300_799_999;

export function laterPreferences(current: Preferences, other: Preferences): Preferences {
  return other.revision > current.revision ? other : current;
}

/** Whether the member wants no notification of anything in the group at a time. */
export function isMuted({ notify, mutedUntil }: Preferences, nowMs: number): boolean {
  return notify === 'none' || (mutedUntil !== null && mutedUntil > nowMs);
}

/**
 * Whether a group counts as archived. A message that is not silent takes a group out that was archived `untilNew`,
 * without a write.
 *
 * @param loud the position of the group's newest message that is not silent
 */
export function isArchived({ archive, archivedAt }: Preferences, loud: Position): boolean {
  return archive === 'always' || (archive === 'untilNew' && loud <= archivedAt);
}
