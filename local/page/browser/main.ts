import { Badge, loudCount } from './badge.ts';
import { button, setText } from './dom.ts';
import { DEFAULT_GROUP } from './groups.ts';
import { Panel } from './panel.ts';
import { isPerson, nameOf, type Person, USER_IDS } from './people.ts';

const HINT_FOR_ALL =
  'Only one person looks at a time, because a window has one focus. You choose the person: point at a panel, type in it, or press its name. What stays in view for a second is read.';
const HINT_FOR_SMALL = 'Choose who looks. What stays in view for a second is read.';
const HINT_FOR_ONE =
  'Open the same person in a second tab, or another person, and compare. What stays in view for a second is read, while the window has the focus.';

/** The element with this id, which page.html has. Throws an error if it has none. */
function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

function start(): void {
  const { searchParams } = new URL(location.href);
  const groupId = searchParams.get('group') ?? DEFAULT_GROUP;
  const as = searchParams.get('as');
  const alone = as !== null && isPerson(as) ? as : null;
  const meta = document.querySelector('meta[name="tidemark-ws-path"]');
  const wsPath = meta?.getAttribute('content') || undefined;
  const people = alone === null ? USER_IDS : [alone];
  document.body.classList.toggle('alone', alone !== null);
  const fresh = crypto.randomUUID().slice(0, 6);
  byId('new-chat').setAttribute('href', `/?group=${DEFAULT_GROUP}-${fresh}`);

  const choices = new Map<Person, HTMLButtonElement>();
  const panels = new Map<Person, Panel>();
  const show = (person: Person) => {
    if (document.body.dataset.shown === person) return;
    for (const [other, panel] of panels) panel.setActive(other === person);
    for (const [other, choice] of choices) choice.setAttribute('aria-pressed', String(other === person));
    document.body.dataset.shown = person;
  };

  for (const person of people) {
    const badge = new Badge();
    const choice = button({ 'aria-pressed': 'false' }, nameOf(person), () => show(person));
    choice.append(badge.element);
    choices.set(person, choice);
    const panel = new Panel({
      ...{ person, groupId, wsPath, isAlone: alone !== null },
      viewChanged(view) {
        badge.show(view);
        const count = view ? loudCount(view) : 0;
        const title = `${count > 0 ? `(${count}) ` : ''}${nameOf(person)} · Tidemark`;
        if (alone !== null && document.title !== title) document.title = title;
      },
    });
    panels.set(person, panel);
    for (const event of ['pointermove', 'pointerdown', 'focusin', 'input'])
      panel.element.addEventListener(event, () => show(person));
    byId('panels').append(panel.element);
    byId('choice').append(choice);
  }

  // On a small screen one panel is shown, and its person looks. Side by side, nobody looks before somebody is pointed at.
  const small = window.matchMedia('(max-width: 60rem)');
  const [first] = people;
  const showForSize = () => {
    const hintForAll = small.matches ? HINT_FOR_SMALL : HINT_FOR_ALL;
    setText(byId('hint'), alone === null ? hintForAll : HINT_FOR_ONE);
    if (first && (alone !== null || small.matches) && !document.body.dataset.shown) show(first);
  };
  small.addEventListener('change', showForSize);
  showForSize();
}

start();
