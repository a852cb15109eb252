import { type Head, NO_HEAD, type ReceiptsPolicy } from '../domain/head.ts';
import { parseGroupId } from '../domain/ids.ts';
import { decodePosition, encodePosition } from './position-text.ts';
import { decodeTime, encodeTime } from './time-text.ts';

const POLICIES: Readonly<Record<string, ReceiptsPolicy>> = { s: 'sender', o: 'off' };

/** The epoch and `!`, then the position, then `^` and `loud`, then `;` with the revision and the values of the settings. */
const HEAD_TEXT = /^(?:(\w{9})!)?(\w{13})(?:\^(\w{13}))?(?:;([1-9][0-9]{0,14})([so]?)(?:\/(.+))?)?$/;

/**
 * Encodes a head for the cache; head.lua describes the format. A group without settings and without silent messages, that was
 * never deleted, takes 13 bytes.
 */
export function encodeHead({ epoch, position, loud, settings }: Head): string {
  const life = epoch === 0 ? '' : `${encodeTime(epoch)}!`;
  const text = life + encodePosition(position) + (loud === position ? '' : `^${encodePosition(loud)}`);
  const { revision, parentId, receipts } = settings;
  if (revision === 0) return text;
  const policy = Object.keys(POLICIES).find((letter) => POLICIES[letter] === receipts) ?? '';
  return `${text};${revision}${policy}${parentId === null ? '' : `/${parentId}`}`;
}

/** Decodes a head. Throws on a text that neither `encodeHead` nor the scripts write. */
export function decodeHead(text: string): Head {
  const [, epochText, position = '', loud, revision, policy = '', parent] = HEAD_TEXT.exec(text) ?? [];
  const head = decodePosition(position);
  const parentId = parent === undefined ? null : parseGroupId(parent);
  if ((parent !== undefined && !parentId) || (loud !== undefined && loud >= position)) {
    throw new Error(`not a head: ${text}`);
  }
  const epoch = epochText === undefined ? 0 : decodeTime(epochText);
  if (epochText !== undefined && epoch === 0) throw new Error(`not a head: ${text}`);
  return {
    epoch,
    position: head,
    loud: loud === undefined ? head : decodePosition(loud),
    settings:
      revision === undefined
        ? NO_HEAD.settings
        : { revision: Number(revision), parentId, receipts: POLICIES[policy] ?? 'members' },
  };
}
