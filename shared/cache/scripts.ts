import claimIndex from './lua/claim-index.lua';
import countReceipts from './lua/count-receipts.lua';
import doubtMember from './lua/doubt-member.lua';
import doubts from './lua/doubts.lua';
import earlyMarks from './lua/early-marks.lua';
import groupView from './lua/group-view.lua';
import head from './lua/head.lua';
import listReceipts from './lua/list-receipts.lua';
import membership from './lua/membership.lua';
import mergeGroup from './lua/merge-group.lua';
import mergeMember from './lua/merge-member.lua';
import putMember from './lua/put-member.lua';
import readInbox from './lua/read-inbox.lua';
import readStatuses from './lua/read-statuses.lua';
import readView from './lua/read-view.lua';
import receiptsIndex from './lua/receipts-index.lua';
import sections from './lua/sections.lua';

/**
 * Upstash runs a script under a lock on the whole database unless this flag limits the lock to the script's keys:
 * https://upstash.com/docs/redis/features/eval-lock
 */
const OWN_KEYS_ONLY = '#!lua flags=allow-key-locking';

export const script = (...parts: readonly string[]): string => [OWN_KEYS_ONLY, sections, ...parts].join('\n');

/** The scripts that read, each with the shared functions that it uses. */
export const READING_SCRIPTS = {
  readView: script(membership, doubts, head, groupView, readView),
  readInbox: script(membership, head, groupView, readInbox),
  readStatuses: script(membership, doubts, head, groupView, readStatuses),
  countReceipts: script(membership, head, groupView, receiptsIndex, countReceipts),
  listReceipts: script(membership, receiptsIndex, listReceipts),
} as const;

/** The scripts that write, each with the shared functions that it uses. */
export const WRITING_SCRIPTS = {
  claimIndex: script(membership, receiptsIndex, claimIndex),
  doubtMember: script(membership, doubts, head, groupView, doubtMember),
  mergeGroup: script(membership, doubts, head, groupView, receiptsIndex, earlyMarks, putMember, mergeGroup),
  mergeMember: script(membership, doubts, head, receiptsIndex, putMember, mergeMember),
} as const;

export const SCRIPTS = { ...READING_SCRIPTS, ...WRITING_SCRIPTS } as const;

export type ReadingScriptName = keyof typeof READING_SCRIPTS;
export type ScriptName = keyof typeof SCRIPTS;
