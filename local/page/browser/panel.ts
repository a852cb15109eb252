import { createDevice, type Device, type Draft, type Message } from './device.ts';
import { button, element, icon, setText, toggle } from './dom.ts';
import { DEFAULT_GROUP, nameOf, type Person } from './people.ts';
import { ReceiptLine } from './receipt-line.ts';

/** The list is at its end when this many pixels or fewer are below the view. */
const END_PX = 24;
/** What is left above the line of what is new. */
const ABOVE_LINE_PX = 12;

const EYE = 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z';
const PUPIL = 'M8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z';
const OUTWARD = 'M6 3.5H3.5v9h9V10M9 3.5h3.5V7M12.5 3.5 7 9';
const CLOCK = 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM8 5v3.2l2 1.3';

interface Row {
  readonly message: Message;
  readonly item: HTMLLIElement;
  readonly receipt: ReceiptLine | null;
  /** Stops looking at the message; null where nobody looks at it. */
  stopObserving: (() => void) | null;
}

export interface PanelOptions {
  readonly person: Person;
  readonly groupId: string;
  readonly wsPath: string | undefined;
  /** Whether the page has only this panel. */
  readonly isAlone: boolean;
  /** Called with the count of unread messages. */
  readonly unreadChanged: (count: number) => void;
}

/** What one person sees, and the device that it stands for. */
export class Panel {
  readonly element: HTMLElement;
  readonly #options: PanelOptions;
  readonly #device: Device;
  readonly #name: string;
  readonly #rows = new Map<string, Row>();
  /** The user ids of the members whose "joined" line is already in the list. */
  readonly #joined = new Set<string>();
  readonly #badge = element('span', { class: 'badge', hidden: true });
  readonly #status = element('p', { class: 'status', role: 'status' });
  readonly #looks = element('p', { class: 'looks' }, icon(EYE, PUPIL), element('span', {}, 'Away'));
  readonly #list = element('ol');
  readonly #empty = element('p', { class: 'empty' });
  readonly #log: HTMLElement;
  readonly #jump: HTMLButtonElement;
  readonly #line: HTMLLIElement;
  readonly #drafts = element('ol', { class: 'drafts' });
  readonly #input: HTMLInputElement;
  readonly #form: HTMLFormElement;
  readonly #joinCard: HTMLElement;
  #isActive = false;
  #lineAt: string | null = null;
  #revision: number | null = null;
  #note = '';
  #isAtEnd = true;

  constructor(options: PanelOptions) {
    const { person, groupId, wsPath, isAlone } = options;
    this.#options = options;
    this.#name = nameOf(person);
    this.#device = createDevice(person, groupId, wsPath, () => this.#update());
    const { network, tracker } = this.#device;

    this.#log = element(
      'div',
      { class: 'log', role: 'log', tabindex: '0', 'aria-label': `Messages as ${this.#name} sees them` },
      this.#empty,
      this.#list,
      this.#drafts,
    );
    this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#jump = button({ class: 'jump', hidden: true }, 'Newest messages', () => {
      this.#log.scrollTop = this.#log.scrollHeight;
    });
    this.#line = element(
      'li',
      { class: 'new-line' },
      element('span', {}, 'New'),
      button({}, 'Mark read', () => {
        const newest = this.#device.messages.at(-1);
        if (newest) tracker.shown(newest.messageId);
      }),
    );
    this.#input = element('input', {
      class: 'words',
      name: 'text',
      'aria-label': `Message as ${this.#name}`,
      placeholder: `Message as ${this.#name}`,
      maxlength: '2000',
      autocomplete: 'off',
    });
    this.#form = element(
      'form',
      {},
      this.#input,
      element('button', { type: 'submit', class: 'primary' }, 'Send'),
    );
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#joinCard = element(
      'div',
      { class: 'join', hidden: true },
      element('p', {}, `${this.#name} is not in the group yet.`),
      element(
        'p',
        {},
        'A new member starts at the newest message. Earlier messages do not become unread, and their receipts do not count the new member.',
      ),
      button({ class: 'primary' }, 'Join the group', () => {
        this.#device.join().catch(() => this.#say('Joining failed: the service cannot be reached.'));
      }),
    );
    const headingId = `name-${person}`;
    const query = new URLSearchParams({ as: person, ...(groupId !== DEFAULT_GROUP && { group: groupId }) });
    this.element = element(
      'section',
      { class: 'panel', id: `panel-${person}`, 'data-person': person, 'aria-labelledby': headingId },
      element(
        'header',
        {},
        element('span', { class: 'avatar', 'aria-hidden': 'true' }, this.#name.charAt(0)),
        element('h2', { id: headingId }, this.#name),
        this.#badge,
        this.#looks,
        ...(isAlone ? [] : [this.#linkToTab(`/?${query}`)]),
      ),
      element(
        'div',
        { class: 'switches' },
        toggle('Network', true, (isOn) => network.switchTo(isOn)),
        toggle('Read privately', false, (isOn) => {
          this.#device.isPrivate = isOn;
        }),
        this.#status,
      ),
      element('div', { class: 'view' }, this.#log, this.#jump),
      this.#joinCard,
      this.#form,
    );
    this.#device.tidemark.subscribe(() => this.#update(), { groupId });
    window.addEventListener('focus', () => this.#attentionChanged());
    window.addEventListener('blur', () => this.#attentionChanged());
    document.addEventListener('visibilitychange', () => this.#attentionChanged());
    // The end stays in view when names are shown, or when the window changes.
    const resized = new ResizeObserver(() => {
      if (this.#isAtEnd) this.#scrollToEnd();
    });
    for (const one of [this.#log, this.#list, this.#drafts]) resized.observe(one);
    this.#update();
  }

  /** Only an active panel looks at its messages: one window has one focus, and the page gives it to one person. */
  setActive(isActive: boolean): void {
    if (isActive === this.#isActive) return;
    this.#isActive = isActive;
    this.#attentionChanged();
  }

  #linkToTab(href: string): HTMLAnchorElement {
    const name = `Open ${this.#name} in another tab`;
    return element(
      'a',
      { class: 'tab', href, target: '_blank', title: name, 'aria-label': name },
      icon(OUTWARD),
    );
  }

  get #isLooking(): boolean {
    return this.#isActive && document.visibilityState === 'visible' && document.hasFocus();
  }

  #attentionChanged(): void {
    const isLooking = this.#isLooking;
    this.element.classList.toggle('active', isLooking);
    setText(this.#looks.lastElementChild ?? this.#looks, isLooking ? 'Looking' : 'Away');
    this.#log.setAttribute('aria-live', isLooking ? 'polite' : 'off');
    // After a pause, what is new is what came since.
    if (!isLooking) this.#lineAt = this.#firstUnread();
    this.#update();
  }

  /** The client's `observe` finds out what is read. It looks at messages of others only while the panel is active. */
  #observe(): void {
    const { tracker, userId } = this.#device;
    for (const row of this.#rows.values()) {
      if (row.message.senderId === userId || this.#isActive === (row.stopObserving !== null)) continue;
      row.stopObserving?.();
      row.stopObserving = this.#isActive ? tracker.observe(row.item, row.message.messageId) : null;
    }
  }

  #send(): void {
    const text = this.#input.value.trim();
    if (text === '') return;
    this.#input.value = '';
    // An answer ends what was new.
    this.#lineAt = null;
    this.#device.send(text);
    this.#scrollToEnd();
  }

  async #markUnread(messageId: string): Promise<void> {
    try {
      await this.#device.tracker.markUnread(messageId);
    } catch {
      this.#say('Not marked unread: the service cannot be reached.');
    }
  }

  #say(note: string): void {
    this.#note = note;
    this.#update();
    setTimeout(() => {
      if (this.#note === note) this.#say('');
    }, 6_000);
  }

  /** The oldest message of others above the own view; null where there is none, or the view is not known. */
  #firstUnread(): string | null {
    const { messages, userId } = this.#device;
    const view = this.#device.view();
    if (!view) return null;
    const readUpTo = BigInt(view.messageId ?? 0);
    const first = messages.find(
      ({ messageId, senderId }) => senderId !== userId && BigInt(messageId) > readUpTo,
    );
    return first?.messageId ?? null;
  }

  #update(): void {
    const { members, userId, problem, drafts, network } = this.#device;
    const isMember = members.some((member) => member.userId === userId);
    const view = this.#device.view();
    const before = this.#rows.size;
    this.#addRows();
    this.#addJoins();
    this.#placeLine(this.#rows.size > before);
    this.#updateReceipts();
    this.#showDrafts(drafts);

    const count = isMember ? (view?.unread.count ?? 0) : 0;
    this.#badge.hidden = count === 0;
    const shown = view?.unread.exact === false ? `${count}+` : String(count);
    if (this.#badge.dataset.count !== shown) {
      this.#badge.dataset.count = shown;
      this.#badge.replaceChildren(shown, element('span', { class: 'spoken' }, ' unread'));
      this.#options.unreadChanged(count);
    }
    const isStarted = members.length > 0;
    this.#joinCard.hidden = isMember || !isStarted;
    this.#form.hidden = !isMember;
    this.#empty.hidden = this.#rows.size > 0 || drafts.length > 0 || !isMember;
    setText(this.#empty, 'No messages yet. Write one, then look at it as somebody else.');
    this.element.classList.toggle('offline', !network.isOn);
    setText(this.#status, this.#note || problem || this.#connectionInWords(isStarted));
    if (this.#isAtEnd) this.#scrollToEnd();
    else this.#scrolled();
  }

  #connectionInWords(isStarted: boolean): string {
    const { network, tidemark } = this.#device;
    if (!network.isOn) return 'Offline: nothing is sent or received';
    const isLive = tidemark.getSnapshot().connection === 'live' || this.#options.wsPath === undefined;
    return isLive && isStarted ? '' : 'Connecting…';
  }

  #addRows(): void {
    const { messages, tidemark, groupId, userId } = this.#device;
    for (const message of messages) {
      const { messageId, senderId } = message;
      if (this.#rows.has(messageId)) continue;
      const isOwn = senderId === userId;
      const receipt = isOwn ? new ReceiptLine(this.#device, messageId) : null;
      const item = this.#itemOf(message, receipt);
      this.#list.append(item);
      this.#rows.set(messageId, { message, item, receipt, stopObserving: null });
      // The panel's own listener is called for these receipts too.
      if (isOwn) tidemark.subscribe(() => undefined, { groupId, messageIds: [messageId] });
    }
    this.#observe();
  }

  #itemOf({ messageId, senderId, text, sentAt }: Message, receipt: ReceiptLine | null): HTMLLIElement {
    const sent = new Date(sentAt);
    const time = sent.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const meta = element('div', { class: 'meta' }, element('time', { datetime: sentAt }, time));
    if (receipt) meta.append(receipt.element);
    else {
      const label = `Mark unread: ${text.slice(0, 60)}`;
      const act = () => void this.#markUnread(messageId);
      meta.append(button({ class: 'mark-unread', 'aria-label': label }, 'Mark unread', act));
    }
    const bubble = element('div', { class: 'bubble' });
    if (receipt) bubble.append(element('span', { class: 'spoken' }, 'You: '));
    else bubble.append(element('p', { class: 'sender', 'data-person': senderId }, nameOf(senderId)));
    bubble.append(element('p', { class: 'text' }, text));
    return element(
      'li',
      { class: receipt ? 'message own' : 'message', 'data-message': messageId },
      bubble,
      meta,
      ...(receipt ? [receipt.names] : []),
    );
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

  /** Puts the line above the first new message. It stays while the person reads, and goes when the person is away. */
  #placeLine(hasMore: boolean): void {
    const view = this.#device.view();
    const first = this.#firstUnread();
    if (view && view.revision !== this.#revision) {
      // The first view, or marked unread, here or on another device.
      this.#revision = view.revision;
      this.#lineAt = first;
    } else if (!this.#isLooking && first === null) {
      this.#lineAt = null;
    } else if (this.#lineAt === null && hasMore && !(this.#isLooking && this.#isAtEnd)) {
      // A message that arrives while the person looks is not marked as new.
      this.#lineAt = first;
    }
    const row = this.#lineAt === null ? undefined : this.#rows.get(this.#lineAt);
    this.#line.classList.toggle('read', first === null);
    if (!row) this.#line.remove();
    else if (this.#line.nextElementSibling !== row.item) row.item.before(this.#line);
  }

  #updateReceipts(): void {
    const { tidemark, groupId } = this.#device;
    const receipts = tidemark.getSnapshot().receipts.get(groupId);
    for (const [messageId, { receipt }] of this.#rows) receipt?.update(receipts?.get(messageId));
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

  /** To the newest message; but if the person is away, not further than to the first new one. */
  #scrollToEnd(): void {
    const end = this.#log.scrollHeight - this.#log.clientHeight;
    const line = this.#isLooking || !this.#line.isConnected ? end : this.#line.offsetTop - ABOVE_LINE_PX;
    this.#log.scrollTop = Math.min(end, line);
    this.#scrolled();
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight <= END_PX;
    this.#jump.hidden = this.#isAtEnd || this.#log.clientHeight === 0;
  }
}
