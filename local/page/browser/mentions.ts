import { isPerson, type Person, USER_IDS } from './people.ts';

const MENTION = new RegExp(`(?<![\\w@])@(${[...USER_IDS, 'all'].join('|')})\\b`, 'gi');

/** The people whom a text mentions with `@name`, each once; or all of them, with `@all`. */
export function mentionsIn(text: string): readonly Person[] | 'all' {
  const names = new Set(Array.from(text.matchAll(MENTION), ([, name = '']) => name.toLowerCase()));
  return names.has('all') ? 'all' : [...names].filter(isPerson);
}

/** The parts of a text in their order. `who` is whom a part mentions; null if it mentions nobody. */
export function partsOf(text: string): readonly { readonly text: string; readonly who: string | null }[] {
  const parts: { text: string; who: string | null }[] = [];
  let end = 0;
  for (const { 0: found, 1: name = '', index } of text.matchAll(MENTION)) {
    parts.push({ text: text.slice(end, index), who: null }, { text: found, who: name.toLowerCase() });
    end = index + found.length;
  }
  return [...parts, { text: text.slice(end), who: null }].filter((part) => part.text !== '');
}
