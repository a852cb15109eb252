import type { Head } from '../../shared/domain/head.ts';
import type { GroupId } from '../../shared/domain/ids.ts';
import { formatMessageId } from '../../shared/domain/position.ts';

/** The answer of the routes that return what is set for a group. */
export function groupAnswer(groupId: GroupId, { position, settings }: Head) {
  const { parentId, receipts } = settings;
  return { groupId, head: formatMessageId(position), parentId, receipts };
}
