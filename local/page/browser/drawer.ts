import type { Preferences, UserCalls, View } from 'tidemark-client';
import { Badge, muteLeftMs, sumOf } from './badge.ts';
import type { Device } from './device.ts';
import { button, element, icon, setText, toggle } from './dom.ts';
import { reasonOf } from './reason.ts';

const DOWN = 'M4 6l4 4 4-4';

const HOUR_MS = 3_600_000;

type Notify = View['notify'];

const NOTIFY: Readonly<Record<Notify, string>> = {
  all: 'of all messages',
  mentions: 'of mentions only',
  none: 'of nothing',
};

interface GroupRow {
  readonly item: HTMLLIElement;
  readonly name: HTMLButtonElement;
  readonly badge: Badge;
  readonly archive: HTMLButtonElement;
}

export interface DrawerOptions {
  readonly device: Device;
  /** Of the drawer's element. */
  readonly id: string;
  /** Shows a short note to the user. */
  readonly say: (note: string) => void;
  /** Opens the chat, or the thread of this message. */
  readonly open: (threadOf: string | null) => void;
}

/** The groups of one person: the chat, its threads, what is archived, and what the person wants of the chat. */
export class Drawer {
  readonly element: HTMLElement;
  /** Opens the drawer. Its badge counts what is unread in the threads. */
  readonly button: HTMLButtonElement;
  readonly #options: DrawerOptions;
  readonly #threadsBadge = new Badge();
  readonly #device: Device;
  readonly #rows = new Map<string, GroupRow>();
  readonly #groups = element('ul', { class: 'groups' });
  readonly #archived = element('ul', { class: 'groups' });
  readonly #archive: HTMLDetailsElement;
  readonly #archiveName = element('summary', {}, 'Archive');
  readonly #markAll: HTMLButtonElement;
  readonly #notify: HTMLSelectElement;
  readonly #mute: HTMLButtonElement;
  readonly #hide: HTMLLabelElement;
  /** The revision of the preferences whose `hideReceipts` the switch shows. A view does not have `hideReceipts`. */
  #loadedRevision = 0;
  #muteTimer: number | undefined;

  constructor(options: DrawerOptions) {
    const { device, id } = options;
    this.#options = options;
    this.#device = device;
    this.#archive = element('details', { hidden: true }, this.#archiveName, this.#archived);
    this.#markAll = button({ class: 'small' }, 'Mark all read', () => void this.#markAllRead());
    this.#notify = element('select', {}, ...notifyOptions());
    this.#notify.addEventListener('change', () => {
      const chosen = this.#notify.selectedOptions.item(0)?.value;
      if (isNotify(chosen)) void this.#change({ notify: chosen });
    });
    this.#mute = button({ class: 'small' }, 'Mute for an hour', () => {
      const isTimed = muteLeftMs({ mutedUntil: this.#view?.mutedUntil ?? null }) > 0;
      const until = new Date(Date.now() + HOUR_MS).toISOString();
      void this.#change({ mutedUntil: isTimed ? null : until });
    });
    this.#hide = toggle('Hide my receipts', false, (isOn) => void this.#change({ hideReceipts: isOn }));
    this.button = button({ class: 'small', 'aria-expanded': 'false', 'aria-controls': id }, 'Groups', () => {
      this.element.hidden = !this.element.hidden;
      this.button.setAttribute('aria-expanded', String(!this.element.hidden));
    });
    const arrow = icon(DOWN);
    arrow.classList.add('arrow');
    this.button.append(this.#threadsBadge.element, arrow);
    this.element = element(
      'div',
      { class: 'drawer', id, hidden: true },
      element('div', { class: 'drawer-head' }, element('h3', {}, 'Groups'), this.#markAll),
      this.#groups,
      this.#archive,
      element(
        'div',
        { class: 'settings' },
        element('label', { class: 'notify' }, 'Notify me ', this.#notify),
        this.#mute,
        this.#hide,
      ),
    );
  }

  update(): void {
    const view = this.#view;
    this.#showGroups();
    if (!view) return;
    if (this.#notify.value !== view.notify) this.#notify.value = view.notify;
    const leftMs = muteLeftMs(view);
    const until = new Date(Date.now() + leftMs).toLocaleTimeString([], {
      hour: '2-digit',
      minute: '2-digit',
    });
    setText(this.#mute, leftMs > 0 ? `Unmute (until ${until})` : 'Mute for an hour');
    clearTimeout(this.#muteTimer);
    if (leftMs > 0) this.#muteTimer = setTimeout(() => this.update(), leftMs);
    if (view.preferencesRevision !== this.#loadedRevision) void this.#loadPreferences(view);
  }

  get #view(): View | null {
    return this.#device.chat.view();
  }

  /** The views of the chat and its threads. The person may have other groups, of other chats. */
  #showGroups(): void {
    const { tidemark, chat, isMember } = this.#device;
    const views = [...tidemark.getSnapshot().views.values()].filter(
      ({ groupId, parentId }) => groupId === chat.groupId || parentId === chat.groupId,
    );
    this.#threadsBadge.show(sumOf(views.filter(({ groupId }) => groupId !== chat.groupId)));
    for (const view of isMember ? views : []) {
      const row = this.#rows.get(view.groupId) ?? this.#addRow(view.groupId);
      this.#place(row, view.archived ? this.#archived : this.#groups);
      row.badge.show(view);
      setText(row.name, this.#nameOf(view.groupId));
      setText(row.archive, view.archived ? 'Return' : 'Archive');
      row.archive.setAttribute('aria-label', `${row.archive.textContent}: ${row.name.textContent}`);
    }
    const count = this.#archived.childElementCount;
    this.#archive.hidden = count === 0;
    setText(this.#archiveName, `Archive (${count})`);
  }

  /** Puts a row into a list, in the order of the ids: the chat first, then its threads. Keeps a focus that is in the row. */
  #place({ item, archive }: GroupRow, list: HTMLElement): void {
    if (item.parentElement === list) return;
    const hadFocus = item.contains(document.activeElement);
    const next = [...list.children].find(
      (other) => (other.getAttribute('data-group') ?? '') > (item.dataset.group ?? ''),
    );
    list.insertBefore(item, next ?? null);
    if (!hadFocus) return;
    this.#archive.hidden = false;
    if (list === this.#archived && !this.#archive.open) this.#archiveName.focus();
    else archive.focus();
  }

  #addRow(groupId: string): GroupRow {
    const threadOf = this.#threadOf(groupId);
    const badge = new Badge();
    const name = button({ class: 'group-name' }, '', () => this.#options.open(threadOf));
    const archive = button({ class: 'small' }, '', () => {
      const isArchived = this.#device.tidemark.getSnapshot().views.get(groupId)?.archived;
      void this.#change({ archive: isArchived ? 'no' : 'untilNew' }, groupId);
    });
    const item = element('li', { 'data-group': groupId }, name, badge.element, archive);
    const row = { item, name, badge, archive };
    this.#rows.set(groupId, row);
    return row;
  }

  #nameOf(groupId: string): string {
    const threadOf = this.#threadOf(groupId);
    if (threadOf === null) return 'Chat';
    const message = this.#device.chat.messages.find(({ messageId }) => messageId === threadOf);
    return `Thread: ${message?.text.slice(0, 40) ?? threadOf}`;
  }

  /** The message that the thread of this group answers; null for the chat. */
  #threadOf(groupId: string): string | null {
    return [...this.#device.threads].find(([, channel]) => channel.groupId === groupId)?.[0] ?? null;
  }

  async #loadPreferences(view: View): Promise<void> {
    const known = this.#loadedRevision;
    this.#loadedRevision = view.preferencesRevision;
    try {
      this.#showHidden(await this.#device.tidemark.api.getPreferences({ groupId: view.groupId }));
    } catch {
      // The next update tries again.
      this.#loadedRevision = known;
    }
  }

  #showHidden({ hideReceipts, revision }: Preferences): void {
    if (revision < this.#loadedRevision) return;
    this.#loadedRevision = revision;
    const input = this.#hide.querySelector('input');
    if (input) input.checked = hideReceipts;
  }

  async #change(
    change: Omit<Parameters<UserCalls['setPreferences']>[0], 'groupId'>,
    groupId = this.#device.chat.groupId,
  ): Promise<void> {
    try {
      const preferences = await this.#device.tidemark.api.setPreferences({ groupId, ...change });
      if (groupId === this.#device.chat.groupId) this.#showHidden(preferences);
    } catch (error) {
      this.#options.say(`Nothing has changed. ${reasonOf(error)}`);
      const input = this.#hide.querySelector('input');
      if (input && change.hideReceipts !== undefined) input.checked = !change.hideReceipts;
      this.update();
    }
  }

  async #markAllRead(): Promise<void> {
    const { tidemark, chat, threads, isPrivate } = this.#device;
    // `markAll` reads publicly. Without a parent it would mark the groups of other chats, too.
    for (const { messages, tracker } of isPrivate ? [chat, ...threads.values()] : [chat]) {
      const newest = messages.at(-1);
      if (newest) tracker.shown(newest.messageId);
    }
    if (isPrivate) return;
    try {
      let cursor: string | null = null;
      do {
        const answer = await tidemark.api.markAll({ parentId: chat.groupId, cursor });
        cursor = answer.cursor;
      } while (cursor);
    } catch (error) {
      this.#options.say(`The threads are not marked read. ${reasonOf(error)}`);
    }
  }
}

function notifyOptions(): readonly HTMLOptionElement[] {
  return Object.entries(NOTIFY).map(([value, text]) => element('option', { value }, text));
}

function isNotify(value: string | undefined): value is Notify {
  return value !== undefined && Object.hasOwn(NOTIFY, value);
}
