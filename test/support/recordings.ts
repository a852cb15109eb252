import type { UserId } from '../../shared/domain/ids.ts';
import type { Recording } from '../../shared/ledger/messages.ts';
import { at } from './positions.ts';

/** A message sent now, as the ledger records it, without anything special. */
export function recordingOf(senderId: UserId, messageId: number): Recording {
  const plain = { isSilent: false, mentions: [], ownViewStays: false };
  const [sentAtMs, recordedAt] = [Date.now(), Date.now()];
  return { position: at(messageId), senderId, sentAtMs, recordedAt, ...plain };
}
