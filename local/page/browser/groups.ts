/** The chat of the page without `?group=`. */
export const DEFAULT_GROUP = 'picnic';

/** The group of a thread, whose parent is the group of the chat. A thread is named by the message that it answers. */
export function threadGroupId(chatId: string, messageId: string): string {
  return `${chatId}.${messageId}`;
}
