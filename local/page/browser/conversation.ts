import { Badge } from './badge.ts';
import type { Channel, Device, Draft } from './device.ts';
import { button, element, icon, setText } from './dom.ts';
import { type Message, MOST_CHARACTERS } from './feed.ts';
import { partsOf } from './mentions.ts';
import { nameOf } from './people.ts';
import { reasonOf } from './reason.ts';
import { ReceiptLine } from './receipt-line.ts';

/** The list is at its end when this many pixels or fewer are below the view. */
const END_PX = 24;
/** The space above the line "New" when the list scrolls to it. */
const ABOVE_LINE_PX = 12;

const CLOCK = 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM8 5v3.2l2 1.3';

interface Row {
  readonly message: Message;
  readonly item: HTMLLIElement;
  readonly receipt: ReceiptLine | null;
  readonly thread: ThreadLink | null;
  /** Stops observing the message; null if it is not observed. */
  stopObserving: (() => void) | null;
}

/** Opens the thread of a message. */
interface ThreadLink {
  readonly button: HTMLButtonElement;
  readonly replies: HTMLElement;
  readonly badge: Badge;
}

export interface ConversationOptions {
  readonly device: Device;
  readonly channel: Channel;
  /** Of the list of messages. */
  readonly label: string;
  /** Of the field for a message. */
  readonly inputLabel: string;
  /** Shown where there is no message. */
  readonly empty: string;
  /** Shows a short note to the user. */
  readonly say: (note: string) => void;
  /** Opens the thread of a message. Without it, messages have no threads. */
  readonly openThread?: (messageId: string) => void;
}

/** The messages of the chat or of a thread as one person sees them, and the field for the next one. */
export class Conversation {
  readonly element: HTMLElement;
  readonly #options: ConversationOptions;
  readonly #device: Device;
  readonly #channel: Channel;
  readonly #rows = new Map<string, Row>();
  /** The user ids of the members whose "joined" line is already in the list. */
  readonly #joined = new Set<string>();
  readonly #list = element('ol');
  readonly #empty: HTMLElement;
  readonly #log: HTMLElement;
  readonly #jump: HTMLButtonElement;
  readonly #line: HTMLLIElement;
  readonly #drafts = element('ol', { class: 'drafts' });
  readonly #input: HTMLInputElement;
  #isActive = false;
  #lineAt: string | null = null;
  #revision: number | null = null;
  #isAtEnd = true;
  /** The height of the list when its place was last read. */
  #heightPx = 0;

  constructor(options: ConversationOptions) {
    const { device, channel, label, inputLabel, empty } = options;
    this.#options = options;
    this.#device = device;
    this.#channel = channel;
    this.#empty = element('p', { class: 'empty' }, empty);
    this.#log = element(
      'div',
      { class: 'log', role: 'log', tabindex: '0', 'aria-label': label },
      this.#empty,
      this.#list,
      this.#drafts,
    );
    const scrolled = () => {
      // The event may follow a resize, which the observer below handles.
      if (this.#log.clientHeight === this.#heightPx) this.#scrolled();
    };
    this.#log.addEventListener('scroll', scrolled, { passive: true });
    this.#jump = button({ class: 'jump', hidden: true }, 'Newest messages', () => {
      this.#log.scrollTop = this.#log.scrollHeight;
    });
    this.#line = element(
      'li',
      { class: 'new-line' },
      element('span', {}, 'New'),
      button({}, 'Mark read', () => {
        const newest = channel.messages.at(-1);
        if (newest) channel.tracker.shown(newest.messageId);
      }),
    );
    this.#input = element('input', {
      class: 'words',
      name: 'text',
      'aria-label': inputLabel,
      placeholder: inputLabel,
      autocomplete: 'off',
    });
    const form = element(
      'form',
      {},
      this.#input,
      element('button', { type: 'submit', class: 'primary' }, 'Send'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.element = element(
      'div',
      { class: 'conversation' },
      element('div', { class: 'view' }, this.#log, this.#jump),
      form,
    );
    // The end stays in view when names are shown, or when the window changes.
    const resized = new ResizeObserver(() => {
      if (this.#isAtEnd) this.#scrollToEnd();
      else this.#scrolled();
    });
    for (const one of [this.#log, this.#list, this.#drafts]) resized.observe(one);
  }

  /** Only the active conversation looks at its messages. */
  setActive(isActive: boolean): void {
    if (isActive === this.#isActive) return;
    this.#isActive = isActive;
    this.attentionChanged();
  }

  /** Called when the window may have got or lost the focus. */
  attentionChanged(): void {
    const isLooking = this.#isLooking;
    this.#log.setAttribute('aria-live', isLooking ? 'polite' : 'off');
    this.update();
  }

  focus(): void {
    this.#input.focus();
  }

  /** Shows the link to the thread of a message, and moves the focus to it. */
  focusThreadLink(messageId: string): void {
    this.#rows.get(messageId)?.thread?.button.focus();
  }

  update(): void {
    const { drafts } = this.#channel;
    const before = this.#rows.size;
    this.#addRows();
    this.#observe();
    if (this.#channel.threadOf === null) this.#addJoins();
    this.#placeLine(this.#rows.size > before);
    this.#updateReceipts();
    this.#updateThreads();
    this.#showDrafts(drafts);
    this.#empty.hidden = this.#rows.size > 0 || drafts.length > 0;
    if (this.#isAtEnd) this.#scrollToEnd();
    else this.#scrolled();
  }

  get #isLooking(): boolean {
    return this.#isActive && document.visibilityState === 'visible' && document.hasFocus();
  }

  /** The oldest unread message; null if there is none, or the view is not known. */
  get #firstUnread(): string | null {
    return this.#channel.view()?.unread.firstId ?? null;
  }

  /** The client's `observe` finds out what is read. It looks at messages of others only while the conversation is active. */
  #observe(): void {
    for (const row of this.#rows.values()) {
      const { senderId, messageId } = row.message;
      if (senderId === this.#device.userId || this.#isActive === (row.stopObserving !== null)) continue;
      row.stopObserving?.();
      row.stopObserving = this.#isActive ? this.#channel.tracker.observe(row.item, messageId) : null;
    }
  }

  #send(): void {
    const text = this.#input.value.trim();
    if (text.length > MOST_CHARACTERS) {
      this.#options.say(
        `Not sent. A message has at most ${MOST_CHARACTERS} characters, and this one has ${text.length}.`,
      );
      return;
    }
    // Spaces alone go too: with them the field looks empty, but has no placeholder.
    this.#input.value = '';
    if (text === '') return;
    // After an own message, nothing above it is new.
    this.#lineAt = null;
    this.#channel.send(text);
    this.#scrollToEnd();
  }

  async #markUnread(messageId: string): Promise<void> {
    try {
      await this.#channel.tracker.markUnread(messageId);
    } catch (error) {
      this.#options.say(`Not marked unread. ${reasonOf(error)}`);
    }
  }

  #addRows(): void {
    const { messages, groupId } = this.#channel;
    for (const message of messages) {
      const { messageId, senderId } = message;
      if (this.#rows.has(messageId)) continue;
      const isOwn = senderId === this.#device.userId;
      const receipt = isOwn ? new ReceiptLine(this.#device, groupId, messageId) : null;
      const thread = this.#threadLink(message);
      const item = this.#itemOf(message, receipt, thread);
      this.#list.append(item);
      this.#rows.set(messageId, { message, item, receipt, thread, stopObserving: null });
      // The panel's own listener is called for these receipts too.
      if (isOwn) this.#device.tidemark.subscribe(() => undefined, { groupId, messageIds: [messageId] });
    }
  }

  #threadLink({ messageId }: Message): ThreadLink | null {
    const { openThread } = this.#options;
    if (!openThread) return null;
    const replies = element('span', {}, 'Reply in thread');
    const badge = new Badge();
    const opener = button({ class: 'thread-link quiet-button' }, '', () => openThread(messageId));
    opener.append(replies, badge.element);
    return { button: opener, replies, badge };
  }

  #itemOf(message: Message, receipt: ReceiptLine | null, thread: ThreadLink | null): HTMLLIElement {
    const { messageId, senderId, text, sentAt } = message;
    const time = new Date(sentAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const meta = element('div', { class: 'meta' }, element('time', { datetime: sentAt }, time));
    if (receipt) meta.append(receipt.element);
    if (thread) meta.append(thread.button);
    if (!receipt) {
      const label = `Mark unread: ${text.slice(0, 60)}`;
      const act = () => void this.#markUnread(messageId);
      meta.append(button({ class: 'quiet-button', 'aria-label': label }, 'Mark unread', act));
    }
    const bubble = element('div', { class: 'bubble' });
    if (receipt) bubble.append(element('span', { class: 'spoken' }, 'You: '));
    else bubble.append(element('p', { class: 'sender', 'data-person': senderId }, nameOf(senderId)));
    bubble.append(element('p', { class: 'text' }, ...this.#withMentions(message)));
    return element(
      'li',
      { class: receipt ? 'message own' : 'message', 'data-message': messageId },
      bubble,
      meta,
      ...(receipt ? [receipt.names] : []),
    );
  }

  #withMentions({ text, senderId }: Message): readonly (HTMLElement | string)[] {
    const { userId } = this.#device;
    return partsOf(text).map((part) => {
      if (part.who === null) return part.text;
      const isMe = part.who === userId || (part.who === 'all' && senderId !== userId);
      return element('strong', { class: isMe ? 'mention me' : 'mention' }, part.text);
    });
  }

  /** A line after the newest message that was there when a member joined. */
  #addJoins(): void {
    for (const { userId, joinedAfter } of this.#device.members) {
      const row = joinedAfter === null ? undefined : this.#rows.get(joinedAfter);
      if (!row || this.#joined.has(userId)) continue;
      this.#joined.add(userId);
      const who = userId === this.#device.userId ? 'You' : nameOf(userId);
      row.item.after(element('li', { class: 'joined' }, `${who} joined`));
    }
  }

  /** Puts the line above the first new message. It stays while the person looks; otherwise it follows the oldest unread message. */
  #placeLine(hasMore: boolean): void {
    const view = this.#channel.view();
    const first = this.#firstUnread;
    // With the first view, and after marking unread, here or on another device.
    const isOtherRevision = view !== null && view.revision !== this.#revision;
    if (isOtherRevision) this.#revision = view.revision;
    if (isOtherRevision || !this.#isLooking) {
      this.#lineAt = first;
    } else if (this.#lineAt === null && hasMore && !this.#isAtEnd) {
      // A message that arrives while the person looks is not marked as new.
      this.#lineAt = first;
    }
    const row = this.#lineAt === null ? undefined : this.#rows.get(this.#lineAt);
    this.#line.classList.toggle('read', first === null);
    if (!row) this.#line.remove();
    else if (this.#line.nextElementSibling !== row.item) row.item.before(this.#line);
  }

  #updateReceipts(): void {
    const receipts = this.#device.tidemark.getSnapshot().receipts.get(this.#channel.groupId);
    for (const [messageId, { receipt }] of this.#rows) receipt?.update(receipts?.get(messageId));
  }

  #updateThreads(): void {
    for (const [messageId, { thread, message }] of this.#rows) {
      if (!thread) continue;
      const channel = this.#device.threads.get(messageId);
      const count = channel?.messages.length ?? 0;
      thread.button.classList.toggle('quiet-button', count === 0);
      const words = count === 1 ? '1 reply' : `${count} replies`;
      setText(thread.replies, count === 0 ? 'Reply in thread' : words);
      thread.badge.show(channel?.view() ?? null);
      const name = `${thread.button.textContent} to: ${message.text.slice(0, 60)}`;
      if (thread.button.ariaLabel !== name) thread.button.ariaLabel = name;
    }
  }

  #showDrafts(drafts: readonly Draft[]): void {
    const keys = drafts.map(({ key }) => key).join();
    if (this.#drafts.dataset.keys === keys) return;
    this.#drafts.dataset.keys = keys;
    this.#drafts.hidden = drafts.length === 0;
    this.#drafts.replaceChildren(
      ...drafts.map(({ text }) =>
        element(
          'li',
          { class: 'message own draft' },
          element('div', { class: 'bubble' }, element('p', { class: 'text' }, text)),
          element('div', { class: 'meta' }, icon(CLOCK), 'Waiting to be sent'),
        ),
      ),
    );
  }

  /** Scrolls to the newest message, but while the person is away, not further than to the first new one. */
  #scrollToEnd(): void {
    const end = this.#log.scrollHeight - this.#log.clientHeight;
    const line = this.#isLooking || !this.#line.isConnected ? end : this.#line.offsetTop - ABOVE_LINE_PX;
    this.#log.scrollTop = Math.min(end, line);
    this.#scrolled();
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    // A hidden list keeps its place.
    if (clientHeight === 0) return;
    this.#heightPx = clientHeight;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight <= END_PX;
    this.#jump.hidden = this.#isAtEnd;
  }
}
