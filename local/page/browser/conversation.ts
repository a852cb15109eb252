import type { Channel, Device, Draft } from './device.ts';
import { button, element, icon } from './dom.ts';
import { MOST_CHARACTERS } from './feed.ts';
import { MessageRow } from './message-row.ts';
import { nameOf } from './people.ts';
import { reasonOf } from './reason.ts';

/** The list is at its end when this many pixels or fewer are below the view. */
const END_PX = 24;
/** The space above the line "New" when the list scrolls to it. */
const ABOVE_LINE_PX = 12;

const CLOCK = 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM8 5v3.2l2 1.3';

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
  readonly #rows = new Map<string, MessageRow>();
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
    this.#rows.get(messageId)?.focusThreadLink();
  }

  update(): void {
    const { drafts } = this.#channel;
    const before = this.#rows.size;
    this.#addRows();
    for (const row of this.#rows.values()) row.setObserved(this.#isActive);
    if (this.#channel.threadOf === null) this.#addJoins();
    this.#placeLine(this.#rows.size > before);
    for (const row of this.#rows.values()) row.update();
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
      const { messageId } = message;
      if (this.#rows.has(messageId)) continue;
      const row = new MessageRow({
        ...{ device: this.#device, channel: this.#channel, message },
        markUnread: (id) => void this.#markUnread(id),
        openThread: this.#options.openThread,
      });
      this.#list.append(row.item);
      this.#rows.set(messageId, row);
      // The panel's own listener is called for these receipts too.
      if (row.isOwn) this.#device.tidemark.subscribe(() => undefined, { groupId, messageIds: [messageId] });
    }
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
