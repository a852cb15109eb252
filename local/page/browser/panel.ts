import type { View } from 'tidemark-client';
import { Badge } from './badge.ts';
import { Conversation } from './conversation.ts';
import { createDevice, type Device } from './device.ts';
import { button, element, icon, setText, toggle } from './dom.ts';
import { Drawer } from './drawer.ts';
import { DEFAULT_GROUP } from './groups.ts';
import { nameOf, type Person } from './people.ts';
import { reasonOf } from './reason.ts';

const EYE = 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z';
const PUPIL = 'M8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z';
const OUTWARD = 'M6 3.5H3.5v9h9V10M9 3.5h3.5V7M12.5 3.5 7 9';
const BACK = 'M10 3.5 5.5 8l4.5 4.5';

export interface PanelOptions {
  readonly person: Person;
  readonly groupId: string;
  readonly wsPath: string | undefined;
  /** Whether the page has only this panel. */
  readonly isAlone: boolean;
  /** Called with the view of the chat after each change; with null for somebody who is not in it. */
  readonly viewChanged: (view: View | null) => void;
}

/** What one person sees, and the device that it stands for. */
export class Panel {
  readonly element: HTMLElement;
  readonly #options: PanelOptions;
  readonly #device: Device;
  readonly #name: string;
  readonly #badge = new Badge();
  readonly #status = element('p', { class: 'status', role: 'status' });
  readonly #looks = element('p', { class: 'looks' }, icon(EYE, PUPIL), element('span', {}, 'Away'));
  readonly #drawer: Drawer;
  readonly #chat: Conversation;
  readonly #thread = element('section', { class: 'thread', hidden: true });
  readonly #threads = new Map<string, Conversation>();
  readonly #joinCard: HTMLElement;
  readonly #archivedCard: HTMLElement;
  /** The message whose thread is open. */
  #threadOf: string | null = null;
  #isActive = false;
  #note = '';

  constructor(options: PanelOptions) {
    const { person, groupId, wsPath, isAlone } = options;
    this.#options = options;
    this.#name = nameOf(person);
    this.#device = createDevice(person, groupId, wsPath, () => this.#update());
    const { network } = this.#device;
    const say = (note: string) => this.#say(note);

    this.#chat = new Conversation({
      ...{ device: this.#device, channel: this.#device.chat, say },
      label: `Messages as ${this.#name} sees them`,
      inputLabel: `Message as ${this.#name}`,
      empty: 'No messages yet. Write one, perhaps to @bob or @all, then look at it as somebody else.',
      openThread: (messageId) => this.#open(messageId),
    });
    this.#chat.element.classList.add('chat');
    this.#drawer = new Drawer({
      ...{ device: this.#device, say, id: `drawer-${person}` },
      open: (threadOf) => this.#open(threadOf),
    });
    this.#thread.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#open(null);
    });
    this.#joinCard = element(
      'div',
      { class: 'card', hidden: true },
      element('p', {}, `${this.#name} is not in the group yet.`),
      element(
        'p',
        {},
        'A new member starts at the newest message. Earlier messages do not become unread, and their receipts do not count the new member.',
      ),
      button({ class: 'primary' }, 'Join the group', () => {
        this.#device.join().catch((error: unknown) => this.#say(`Joining failed. ${reasonOf(error)}`));
      }),
    );
    this.#archivedCard = element(
      'div',
      { class: 'card', hidden: true },
      element('p', {}, `${this.#name} has archived the chat.`),
      element('p', {}, 'It counts in no badge, and comes back with the next message.'),
      button({ class: 'primary' }, 'Return it now', () => {
        const { tidemark } = this.#device;
        tidemark.api
          .setPreferences({ groupId, archive: 'no' })
          .catch((error: unknown) => this.#say(`Nothing has changed. ${reasonOf(error)}`));
      }),
    );
    const privately = toggle('Private', false, (isOn) => {
      this.#device.isPrivate = isOn;
    });
    privately.title = 'Nobody else can see what is read now';
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
        this.#badge.element,
        this.#looks,
        ...(isAlone ? [] : [this.#linkToTab(`/?${query}`)]),
      ),
      element(
        'div',
        { class: 'switches' },
        toggle('Network', true, (isOn) => network.switchTo(isOn)),
        privately,
        this.#drawer.button,
        this.#status,
      ),
      this.#drawer.element,
      this.#joinCard,
      this.#archivedCard,
      this.#chat.element,
      this.#thread,
    );
    this.#device.tidemark.subscribe(() => this.#update(), { groupId });
    window.addEventListener('focus', () => this.#attentionChanged());
    window.addEventListener('blur', () => this.#attentionChanged());
    document.addEventListener('visibilitychange', () => this.#attentionChanged());
    this.#update();
  }

  /** Only an active panel observes its messages: a window has one focus, and the page gives it to one person at a time. */
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

  #attentionChanged(): void {
    const isLooking = this.#isActive && document.visibilityState === 'visible' && document.hasFocus();
    this.element.classList.toggle('active', isLooking);
    setText(this.#looks.lastElementChild ?? this.#looks, isLooking ? 'Looking' : 'Away');
    for (const conversation of [this.#chat, ...this.#threads.values()]) conversation.attentionChanged();
    this.#update();
  }

  /** Opens the thread of a message, or the chat, and moves the focus there. */
  #open(threadOf: string | null): void {
    const before = this.#threadOf;
    this.#threadOf = threadOf;
    if (threadOf !== null) this.#showThread(threadOf);
    this.#update();
    if (threadOf !== null) this.#threads.get(threadOf)?.focus();
    else if (before !== null) this.#chat.focusThreadLink(before);
    else this.#chat.focus();
  }

  #showThread(threadOf: string): void {
    const message = this.#device.chat.messages.find(({ messageId }) => messageId === threadOf);
    const conversation =
      this.#threads.get(threadOf) ??
      new Conversation({
        ...{ device: this.#device, channel: this.#device.thread(threadOf) },
        label: `Thread as ${this.#name} sees it`,
        inputLabel: `Reply as ${this.#name}`,
        empty: 'No replies yet.',
        say: (note) => this.#say(note),
      });
    this.#threads.set(threadOf, conversation);
    const headingId = `thread-${this.#options.person}`;
    const back = button({ class: 'small back', 'aria-label': 'Back to the chat' }, '', () =>
      this.#open(null),
    );
    back.append(icon(BACK));
    const { senderId = '', text = '' } = message ?? {};
    this.#thread.setAttribute('aria-labelledby', headingId);
    this.#thread.replaceChildren(
      element(
        'div',
        { class: 'thread-head' },
        back,
        element('h3', { id: headingId }, 'Thread'),
        element(
          'p',
          { class: 'quote', 'data-person': senderId },
          element('strong', {}, nameOf(senderId)),
          ` ${text}`,
        ),
      ),
      conversation.element,
    );
  }

  #say(note: string): void {
    this.#note = note;
    this.#update();
    setTimeout(() => {
      if (this.#note === note) this.#say('');
    }, 6_000);
  }

  #update(): void {
    const { members, isMember, problem, network, chat } = this.#device;
    const view = isMember ? chat.view() : null;
    const isStarted = members.length > 0;
    const isArchived = view?.archived === true;
    const isInThread = this.#threadOf !== null;
    this.#joinCard.hidden = isMember || !isStarted;
    this.#archivedCard.hidden = !isArchived || isInThread;
    this.#chat.element.hidden = !isMember || isArchived || isInThread;
    this.#thread.hidden = !isInThread;
    // What is hidden is not looked at.
    this.#chat.setActive(this.#isActive && !this.#chat.element.hidden);
    for (const [threadOf, thread] of this.#threads) {
      thread.setActive(this.#isActive && this.#threadOf === threadOf);
    }
    this.#chat.update();
    if (this.#threadOf !== null) this.#threads.get(this.#threadOf)?.update();
    this.#drawer.update();
    this.#drawer.button.hidden = !isMember;

    this.#badge.show(view);
    this.#options.viewChanged(view);
    this.element.classList.toggle('offline', !network.isOn);
    setText(this.#status, this.#note || problem || this.#connectionInWords(isStarted));
  }

  #connectionInWords(isStarted: boolean): string {
    const { network, tidemark } = this.#device;
    if (!network.isOn) return 'Offline: nothing is sent or received';
    const isLive = tidemark.getSnapshot().connection === 'live' || this.#options.wsPath === undefined;
    return isLive && isStarted ? '' : 'Connecting…';
  }
}
