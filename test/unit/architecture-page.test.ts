import { globSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

const root = new URL('../..', import.meta.url).pathname;
const page = readFileSync(`${root}docs/architecture.md`, 'utf8');
const files = globSync('{docs,functions,infra,operate,shared,test}/**/*.*', { cwd: root });

test('the page names only files that exist', () => {
  const named = [...page.matchAll(/[\w/-]+(?:\.\w+)*\.(?:json|lua|md|ts)\b/g)].map(([path]) => path);
  expect(named.length).toBeGreaterThan(30);
  const isFile = (path: string) =>
    path === 'README.md' || files.some((file) => `/${file}`.endsWith(`/${path}`));
  expect(named.filter((path) => !isFile(path))).toEqual([]);
});

test('the page has each room of shared/', () => {
  const rooms = new Set(files.flatMap((file) => /^shared\/\w+(?=\/)/.exec(file) ?? []));
  expect([...rooms].filter((room) => !page.includes(`| \`${room}/\` |`))).toEqual([]);
});
