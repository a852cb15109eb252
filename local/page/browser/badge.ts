import type { View } from 'tidemark-client';
import { element } from './dom.ts';

/** What a badge shows of a view. */
export interface Badged extends Pick<View, 'notify' | 'mutedUntil' | 'archived'> {
  readonly unread: Omit<View['unread'], 'firstId'>;
}

/** Whether the user does not want to be notified of the group now. */
export function isMuted({ notify, mutedUntil }: Pick<View, 'notify' | 'mutedUntil'>): boolean {
  return notify === 'none' || muteLeftMs({ mutedUntil }) > 0;
}

/** How long the group is still muted, in ms; 0 if it is not. */
export function muteLeftMs({ mutedUntil }: Pick<View, 'mutedUntil'>): number {
  return Math.max(0, mutedUntil === null ? 0 : Date.parse(mutedUntil) - Date.now());
}

/** How many unread messages of the group count outside of it, such as in the title of the tab. */
export function loudCount(view: Badged): number {
  if (view.archived || isMuted(view)) return 0;
  return view.notify === 'mentions' ? view.unread.mentions : view.unread.count;
}

/** The sum of what counts outside of several groups. */
export function sumOf(views: readonly View[]): Badged {
  const loud = views.filter((view) => loudCount(view) > 0);
  return {
    ...{ notify: 'all', mutedUntil: null, archived: false },
    unread: {
      count: loud.reduce((sum, view) => sum + loudCount(view), 0),
      mentions: loud.reduce((sum, { unread }) => sum + unread.mentions, 0),
      exact: loud.every(({ unread }) => unread.exact),
    },
  };
}

/**
 * The numbers of unread messages of a group, and of those that mention the user. A number of which the user does not want to
 * be notified is grey.
 */
export class Badge {
  readonly element = element('span', { class: 'badges', hidden: true });
  #shown = '';

  /** Shows nothing for an archived group, or while the view is not known (null). */
  show(view: Badged | null): void {
    const { count, mentions, exact } = view?.unread ?? { count: 0, mentions: 0, exact: true };
    const isHidden = count === 0 || view?.archived === true;
    const number = exact ? String(count) : `${count}+`;
    const isQuiet = view !== null && isMuted(view);
    const isCountQuiet = isQuiet || view?.notify === 'mentions';
    const shown = [isHidden, number, mentions, isQuiet, isCountQuiet].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.hidden = isHidden;
    if (isHidden) {
      this.element.replaceChildren();
      return;
    }
    const spoken = (text: string) => element('span', { class: 'spoken' }, text);
    this.element.replaceChildren(
      element(
        'span',
        { class: isCountQuiet ? 'badge quiet' : 'badge', 'data-count': number },
        number,
        spoken(isQuiet ? ' unread, muted' : ' unread'),
      ),
    );
    if (mentions === 0) return;
    this.element.append(
      element(
        'span',
        { class: isQuiet ? 'badge mentions quiet' : 'badge mentions', 'data-mentions': String(mentions) },
        element('span', { 'aria-hidden': 'true' }, `@${mentions}`),
        spoken(mentions === 1 ? ', 1 mentions you' : `, ${mentions} mention you`),
      ),
    );
  }
}
