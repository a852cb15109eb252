import { START } from '../domain/position.ts';
import { NO_PREFERENCES, type NotifyLevel, type Preferences } from '../domain/preferences.ts';
import { decodePosition, encodePosition } from './position-text.ts';

/** The letters of notify levels. `all` needs none. */
const NOTIFY_LETTERS: Readonly<Record<NotifyLevel, string>> = { all: '', mentions: 'M', none: 'N' };
const NOTIFY_BY_LETTER = new Map(
  Object.entries(NOTIFY_LETTERS).map(([level, letter]) => [letter, level as NotifyLevel]),
);

const PATTERN = /^(\d{1,15})@(-?[0-9a-z]{1,9})([MN]?)(?:U([0-9a-z]{1,10}))?(H?)(?:A([0-9a-z]+)|(Z))?$/;

/**
 * Encodes preferences for the cache; membership.lua describes the format. Empty if the member never changed them.
 *
 * @param generation what times count from: a number shorter than the time
 */
export function encodePreferences(preferences: Preferences, generation: number): string {
  const { revision, at, notify, mutedUntil, hideReceipts, archive, archivedAt } = preferences;
  if (at === null) return '';
  const parts = [
    `${revision}@${(at - generation).toString(36)}`,
    NOTIFY_LETTERS[notify],
    mutedUntil === null ? '' : `U${mutedUntil.toString(36)}`,
    hideReceipts ? 'H' : '',
    { no: '', untilNew: `A${encodePosition(archivedAt)}`, always: 'Z' }[archive],
  ];
  return parts.join('');
}

/** Decodes preferences. Throws on a text that `encodePreferences` does not return. */
export function decodePreferences(text: string, generation: number): Preferences {
  if (text === '') return NO_PREFERENCES;
  const [, revision, since, letter, until, hidden, archived, always] = PATTERN.exec(text) ?? [];
  const notify = NOTIFY_BY_LETTER.get(letter ?? '');
  if (revision === undefined || since === undefined || !notify)
    throw new Error(`not a text of preferences: ${text}`);
  return {
    revision: Number(revision),
    at: generation + Number.parseInt(since, 36),
    notify,
    mutedUntil: until === undefined ? null : Number.parseInt(until, 36),
    hideReceipts: hidden === 'H',
    archive: always ? 'always' : archived === undefined ? 'no' : 'untilNew',
    archivedAt: archived === undefined ? START : decodePosition(archived),
  };
}
