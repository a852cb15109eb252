import type { Receipt } from 'tidemark-client';
import type { Device } from './device.ts';
import { button, element, icon, setText } from './dom.ts';
import { namesOf } from './people.ts';
import { reasonOf } from './reason.ts';

const TICK = 'M1.5 8.5 4.7 12 10.5 4.5';
const SECOND_TICK = 'M7.4 11.2 8.2 12 14.5 4.5';

/** The ticks of an own message, how many have read it, and on a click, who. */
export class ReceiptLine {
  readonly element: HTMLElement;
  /** Belongs below the line. */
  readonly names: HTMLElement;
  readonly #device: Device;
  readonly #groupId: string;
  readonly #messageId: string;
  readonly #button: HTMLButtonElement;
  #receipt: Receipt | undefined;

  constructor(device: Device, groupId: string, messageId: string) {
    this.#device = device;
    this.#groupId = groupId;
    this.#messageId = messageId;
    const namesId = `names-${device.userId}-${messageId}`;
    this.#button = button(
      { class: 'receipt', 'aria-expanded': 'false', 'aria-controls': namesId },
      'Sent',
      () => this.#toggle(),
    );
    this.names = element('dl', { id: namesId, class: 'names', hidden: true });
    this.element = element(
      'div',
      { class: 'receipt-line', 'data-state': 'sent' },
      element('span', { class: 'ticks' }, icon(TICK, SECOND_TICK)),
      this.#button,
    );
  }

  update(receipt: Receipt | undefined): void {
    if (receipt === this.#receipt) return;
    this.#receipt = receipt;
    this.element.dataset.state = stateOf(receipt);
    setText(this.#button, inWords(receipt));
    if (!this.names.hidden) void this.#loadNames();
  }

  #toggle(): void {
    this.names.hidden = !this.names.hidden;
    this.#button.setAttribute('aria-expanded', String(!this.names.hidden));
    if (!this.names.hidden) void this.#loadNames();
  }

  async #loadNames(): Promise<void> {
    const { tidemark } = this.#device;
    const list = async (state: 'read' | 'delivered' | 'unread') => {
      const page = await tidemark.api.listReceipts({
        groupId: this.#groupId,
        messageId: this.#messageId,
        state,
      });
      return page.members.map(({ userId }) => userId);
    };
    try {
      const [read, delivered, unread] = await Promise.all([list('read'), list('delivered'), list('unread')]);
      const entries: readonly (readonly [string, readonly string[]])[] = [
        ['Read', read],
        ['Delivered', delivered.filter((userId) => !read.includes(userId))],
        ['Not yet', unread.filter((userId) => !delivered.includes(userId))],
      ];
      const shown = entries.filter(([, userIds]) => userIds.length > 0);
      this.#show(shown.map(([name, userIds]) => [name, namesOf(userIds)] as const));
    } catch (error) {
      this.#show([['Names', reasonOf(error)]]);
    }
  }

  #show(entries: readonly (readonly [string, string])[]): void {
    const shown = entries.length > 0 ? entries : [['Members', 'Nobody else was a member.'] as const];
    this.names.replaceChildren(
      ...shown.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
    );
  }
}

function stateOf(receipt: Receipt | undefined): 'sent' | 'delivered' | 'read' {
  if (!receipt || receipt.audience === 0) return 'sent';
  if (receipt.readByAll) return 'read';
  return receipt.deliveredCount === receipt.audience ? 'delivered' : 'sent';
}

function inWords(receipt: Receipt | undefined): string {
  if (!receipt || receipt.audience === 0) return 'Sent';
  const { audience, readCount, deliveredCount } = receipt;
  if (readCount > 0) return `Read by ${readCount} of ${audience}`;
  return deliveredCount > 0 ? `Delivered to ${deliveredCount} of ${audience}` : 'Sent';
}
