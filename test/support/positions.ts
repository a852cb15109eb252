import { type Position, parseMessageId } from '../../shared/domain/position.ts';

/** The position of a message id that a test knows to be valid. */
export function at(messageId: number | string): Position {
  const position = parseMessageId(messageId);
  if (!position) throw new Error(`not a message id: ${messageId}`);
  return position;
}
