/**
 * The text of a Lua script as bundles hold it: without its comments, which are for readers of the code. Lines keep their
 * numbers, since errors of Redis name them.
 */
export function scriptText(source: string): string {
  return source.replaceAll(/^[ \t]*--.*$/gm, '');
}
