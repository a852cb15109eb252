import { Badge } from './badge.ts';
import type { Channel, Device } from './device.ts';
import { button, element, setText } from './dom.ts';
import type { Message } from './feed.ts';
import { partsOf } from './mentions.ts';
import { nameOf } from './people.ts';
import { ReceiptLine } from './receipt-line.ts';

/** The characters of a message that name it for a screen reader. */
const MOST_NAMED = 60;

/** Opens the thread of a message. */
interface ThreadLink {
  readonly button: HTMLButtonElement;
  readonly replies: HTMLElement;
  readonly badge: Badge;
}

export interface MessageRowOptions {
  readonly device: Device;
  readonly channel: Channel;
  readonly message: Message;
  readonly markUnread: (messageId: string) => void;
  /** Opens the thread of a message. Without it, the message has no thread. */
  readonly openThread?: ((messageId: string) => void) | undefined;
}

/** A message in the list. An own one has receipts, one of somebody else can be marked unread. */
export class MessageRow {
  readonly item: HTMLLIElement;
  readonly isOwn: boolean;
  readonly #options: MessageRowOptions;
  readonly #receipt: ReceiptLine | null;
  readonly #thread: ThreadLink | null;
  /** Stops observing the message; null if it is not observed. */
  #stopObserving: (() => void) | null = null;

  constructor(options: MessageRowOptions) {
    const { device, channel, message, openThread } = options;
    const { messageId, senderId } = message;
    this.#options = options;
    this.isOwn = senderId === device.userId;
    this.#receipt = this.isOwn ? new ReceiptLine(device, channel.groupId, messageId) : null;
    this.#thread = openThread ? threadLink(() => openThread(messageId)) : null;
    this.item = this.#createItem();
  }

  /** The client's `observe` finds out what is read. Own messages are not observed. */
  setObserved(isObserved: boolean): void {
    if (this.isOwn || isObserved === (this.#stopObserving !== null)) return;
    const { channel, message } = this.#options;
    this.#stopObserving?.();
    this.#stopObserving = isObserved ? channel.tracker.observe(this.item, message.messageId) : null;
  }

  focusThreadLink(): void {
    this.#thread?.button.focus();
  }

  update(): void {
    const { device, channel, message } = this.#options;
    const receipts = device.tidemark.getSnapshot().receipts.get(channel.groupId);
    this.#receipt?.update(receipts?.get(message.messageId));
    if (this.#thread) this.#updateThread(this.#thread);
  }

  #updateThread({ button: opener, replies, badge }: ThreadLink): void {
    const { device, message } = this.#options;
    const thread = device.threads.get(message.messageId);
    const count = thread?.messages.length ?? 0;
    opener.classList.toggle('quiet-button', count === 0);
    const words = count === 1 ? '1 reply' : `${count} replies`;
    setText(replies, count === 0 ? 'Reply in thread' : words);
    badge.show(thread?.view() ?? null);
    const name = `${opener.textContent} to: ${message.text.slice(0, MOST_NAMED)}`;
    if (opener.ariaLabel !== name) opener.ariaLabel = name;
  }

  #createItem(): HTMLLIElement {
    const { markUnread } = this.#options;
    const { messageId, senderId, text, sentAt } = this.#options.message;
    const receipt = this.#receipt;
    const time = new Date(sentAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const meta = element('div', { class: 'meta' }, element('time', { datetime: sentAt }, time));
    if (receipt) meta.append(receipt.element);
    if (this.#thread) meta.append(this.#thread.button);
    if (!receipt) {
      const label = `Mark unread: ${text.slice(0, MOST_NAMED)}`;
      const act = () => markUnread(messageId);
      meta.append(button({ class: 'quiet-button', 'aria-label': label }, 'Mark unread', act));
    }
    const bubble = element('div', { class: 'bubble' });
    if (receipt) bubble.append(element('span', { class: 'spoken' }, 'You: '));
    else bubble.append(element('p', { class: 'sender', 'data-person': senderId }, nameOf(senderId)));
    bubble.append(element('p', { class: 'text' }, ...this.#textWithMentions()));
    return element(
      'li',
      { class: receipt ? 'message own' : 'message', 'data-message': messageId },
      bubble,
      meta,
      ...(receipt ? [receipt.names] : []),
    );
  }

  #textWithMentions(): readonly (HTMLElement | string)[] {
    const { userId } = this.#options.device;
    return partsOf(this.#options.message.text).map((part) => {
      if (part.who === null) return part.text;
      const isMe = part.who === userId || (part.who === 'all' && !this.isOwn);
      return element('strong', { class: isMe ? 'mention me' : 'mention' }, part.text);
    });
  }
}

function threadLink(open: () => void): ThreadLink {
  const replies = element('span', {}, 'Reply in thread');
  const badge = new Badge();
  const opener = button({ class: 'thread-link quiet-button' }, '', open);
  opener.append(replies, badge.element);
  return { button: opener, replies, badge };
}
