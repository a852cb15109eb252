import groupView from './group-view.lua';
import membership from './membership.lua';
import mergeGroup from './merge-group.lua';
import readView from './read-view.lua';

/**
 * Upstash runs a script under a lock on the whole database unless it asks for its own keys alone:
 * https://upstash.com/docs/redis/features/eval-lock
 */
const OWN_KEYS_ONLY = '#!lua flags=allow-key-locking';

/** The cache's scripts, each with the functions it is built on. */
export const SCRIPTS = {
  readView: [OWN_KEYS_ONLY, membership, groupView, readView].join('\n'),
  mergeGroup: [OWN_KEYS_ONLY, membership, groupView, mergeGroup].join('\n'),
} as const;

export type ScriptName = keyof typeof SCRIPTS;
