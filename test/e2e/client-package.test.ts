import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { publint } from 'publint';
import { listenOnLoopback } from '../../local/http/loopback.ts';

const run = promisify(execFile);
const fileIn = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The package as it would be published, and an empty project that has installed it. */
let directory: string;
let project: string;
let tarball: Buffer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-client-'));
  project = join(directory, 'an app');
  await mkdir(project);
  const packed = await run('npm', ['pack', '--json', '--pack-destination', directory], {
    cwd: fileIn('client'),
  });
  // What `prepack` prints stands before the JSON.
  const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[\n'))) as [
    { filename: string },
  ];
  tarball = await readFile(join(directory, filename));
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(directory, filename)], {
    cwd: project,
  });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** Gives the project packages that the app would install besides. */
async function lend(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const link = join(project, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(fileIn(`node_modules/${name}`), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function write(name: string, text: string): Promise<string> {
  const file = join(project, name);
  await writeFile(file, text);
  return file;
}

/** The app's own code with all that it imports, minified. */
async function bundled(code: string): Promise<string> {
  const entry = await write('entry.js', code);
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['react'],
    logLevel: 'error',
    write: false,
  });
  return outputFiles.map(({ text }) => text).join();
}

describe('the package', () => {
  test('holds what is needed and no more, and depends on nothing', async () => {
    const { packages } = JSON.parse(await readFile(join(project, 'package-lock.json'), 'utf8')) as {
      packages: object;
    };
    expect(Object.keys(packages)).toEqual(['', 'node_modules/tidemark-client']);
    const folder = join(project, 'node_modules', 'tidemark-client');
    const { stdout } = await run('find', ['.', '-type', 'f'], { cwd: folder });
    const files = stdout.trim().split('\n');
    expect(files).toEqual(
      expect.arrayContaining([
        ...['./package.json', './README.md', './dist/LICENSE'],
        ...['./dist/index.js', './dist/index.d.ts', './dist/react.js', './dist/react.d.ts'],
        ...['./dist/ids.js', './dist/ids.d.ts', './dist/reading.js', './dist/reading.d.ts'],
        ...['./dist/service.js', './dist/service.d.ts'],
      ]),
    );
    expect(files.filter((file) => !/\.(d\.ts|js|json|md)$|LICENSE$/.test(file))).toEqual([]);
    const declarations = files.filter((file) => file.endsWith('.d.ts'));
    for (const file of declarations) {
      expect(await readFile(join(folder, file), 'utf8')).not.toMatch(/valibot|shared\/|\.\.\/|\.ts'/);
    }
  });

  test('has nothing that publint finds wrong', async () => {
    const contents = tarball.buffer.slice(
      tarball.byteOffset,
      tarball.byteOffset + tarball.length,
    ) as ArrayBuffer;
    const { messages } = await publint({ pack: { tarball: contents }, strict: true });
    expect(messages).toEqual([]);
  });

  test('has types that every resolution of ES modules finds', async () => {
    const { problems } = (await checkPackage(createPackageFromTarballData(tarball))) as {
      problems?: readonly { readonly kind: string; readonly resolutionKind?: string }[];
    };
    // It is for ES modules alone: `require` of it, and the resolution from before `exports`, are not offered.
    const found = (problems ?? []).filter(
      ({ kind, resolutionKind }) =>
        !(kind === 'CJSResolvesToESM' || (kind === 'NoResolution' && resolutionKind === 'node10')),
    );
    expect(found).toEqual([]);
  });

  test('has less than 6,000 bytes, minified and gzipped', async () => {
    const all = await bundled("export * from 'tidemark-client';");
    expect(gzipSync(all, { level: 9 }).length).toBeLessThan(6_000);
  });

  test.each([
    ['ids', 1_024, 'a UUID of version 7'],
    ['reading', 768, 'IntersectionObserver'],
    ['service', 1_536, 'POST /badges'],
  ])('has %s as an entry of its own, smaller than %i bytes', async (name, bytes, mark) => {
    const entry = await bundled(`export * from 'tidemark-client/${name}';`);
    expect(gzipSync(entry, { level: 9 }).length).toBeLessThan(bytes);
    expect(entry).toContain(mark);
    expect(await bundled("export * from 'tidemark-client';")).not.toContain(mark);
  });

  test('has the same error in every entry', async () => {
    const script = await write(
      'errors.js',
      `import * as main from 'tidemark-client';
      import * as service from 'tidemark-client/service';
      console.log(main.TidemarkError === service.TidemarkError);`,
    );
    expect((await run(process.execPath, [script])).stdout).toBe('true\n');
  });
});

describe('a bundler', () => {
  test('leaves live state and trackers out where only the calls are used', async () => {
    const whole = await bundled("import { createTidemark } from 'tidemark-client'; createTidemark();");
    const marks = ['tidemark.v1', 'visibilitychange'];
    for (const mark of marks) expect(whole).toContain(mark);
    for (const [call, entry] of [
      ['createUserApi', 'tidemark-client'],
      ['createServiceApi', 'tidemark-client/service'],
    ]) {
      const calls = await bundled(`import { ${call} } from '${entry}'; ${call}();`);
      for (const mark of marks) expect(calls).not.toContain(mark);
      expect(calls.length).toBeLessThan(whole.length / 2);
    }
  });

  test("leaves a back end's routes out of a user's app", async () => {
    const route = 'POST /groups/{groupId}/members';
    expect(
      await bundled("import { createServiceApi } from 'tidemark-client/service'; createServiceApi();"),
    ).toContain(route);
    expect(await bundled("export * from 'tidemark-client';")).not.toContain(route);
  });

  test('leaves everything out where nothing is used', async () => {
    const names = ['', '/ids', '/react', '/reading', '/service'].map((entry) => `tidemark-client${entry}`);
    expect(await bundled(names.map((name) => `import '${name}';`).join(' '))).toBe('');
  });
});

const CALLS = `
import { createTidemark, TidemarkError, type Snapshot, type UserCalls } from 'tidemark-client';
import { messageIdFromTime, messageIdFromUuidV7 } from 'tidemark-client/ids';
import { createReading } from 'tidemark-client/reading';
import { createServiceApi } from 'tidemark-client/service';

export async function backEnd(url: string): Promise<string> {
  const api = createServiceApi({ url, token: () => 'a-token' });
  const { head } = await api.recordMessage({ groupId: 'tea', messageId: '102', senderId: 'bob', mentions: 'all' });
  await api.setGroup({ groupId: 'tea', parentId: 'hall' });
  const { badges } = await api.countBadges({ userIds: ['ann'] });
  console.log(badges[0]?.mentions);
  await api.onBehalfOf('ann').markRead({ groupId: 'tea', messageId: head }, { keepalive: true });
  const { receipts } = await api.onBehalfOf('ann').countReceipts({ groupId: 'tea', messageIds: ['102'] });
  for (const one of receipts) if (one.known) console.log(one.readByAll);
  // @ts-expect-error a number would lose the last digits
  await api.deleteMessage({ groupId: 'tea', messageId: 102 });
  await api.deleteMessage({ groupId: 'tea', messageId: messageIdFromTime(Date.now(), 'a-uuid') });
  // @ts-expect-error the text of a UUID alone
  messageIdFromUuidV7({ toString: () => 'a-uuid' });
  return head;
}

export async function eachGroup(api: UserCalls): Promise<number> {
  let [groups, cursor]: [number, string | null] = [(await api.getBadge()).groups, null];
  do {
    const page = await api.getInbox({ cursor });
    groups += page.groups.length;
    cursor = page.cursor;
  } while (cursor);
  await api.markAll();
  do {
    ({ cursor } = await api.markAll({ parentId: 'tea', cursor }));
  } while (cursor);
  // @ts-expect-error fields that the route needs
  await api.markUnread();
  return groups;
}

export function isThrottled(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'throttled' && (error.retryAfter ?? 0) > 1;
}

export const tidemark = createTidemark({
  url: 'https://api.example',
  wsUrl: 'wss://live.example',
  userId: 'ann',
  token: async (refused) => refused ?? 'a-token',
  WebSocket,
  fetch,
  createReading,
  storage: { get: () => null, set: () => undefined },
});
const stop: () => void = tidemark.subscribe(() => undefined, { groupId: 'tea', messageIds: ['1'] });
stop();
export const snapshot: Snapshot = tidemark.getSnapshot();
export const count: number | undefined = snapshot.views.get('tea')?.unread.count;
export const isArchived: boolean | undefined = snapshot.views.get('tea')?.archived;
tidemark.refresh('tea');
tidemark.noteMessage('tea', '7', { senderId: 'bob', silent: false, mentions: ['ann'] });
export const mute = () => tidemark.api.setPreferences({ groupId: 'tea', mutedUntil: null });
// @ts-expect-error a mode that does not exist
export const hide = () => tidemark.api.setPreferences({ groupId: 'tea', archive: 'never' });
`;

const IN_A_PAGE = `
import { tidemark } from './calls.ts';

export const stop: () => void = tidemark.tracker('tea').observe(document.body, '7');
// @ts-expect-error not an element
tidemark.tracker('tea').observe('body', '7');
`;

const IN_REACT = `
import { createElement, type ReactNode } from 'react';
import { TidemarkProvider, useBadge, useReceipts, useUnread } from 'tidemark-client/react';
import { tidemark } from './calls.ts';

function Title(): ReactNode {
  const unread = useUnread('tea');
  const [receipt] = useReceipts('tea', ['7']);
  return \`\${unread?.count ?? 0} \${receipt?.readCount ?? 0} \${useBadge().messages}\`;
}
export const app: ReactNode = createElement(TidemarkProvider, { value: tidemark }, createElement(Title));
`;

describe('TypeScript, strict and with the declarations of packages checked', () => {
  const check = async (options: object, files: readonly string[]) => {
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ skipLibCheck: false, noEmit: true, target: 'es2022', allowImportingTsExtensions: true },
      ...options,
    };
    await write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
    const { stdout } = await run(process.execPath, [
      fileIn('node_modules/typescript/bin/tsc'),
      '--project',
      project,
    ]).catch((error: { readonly stdout: string }) => error);
    return stdout;
  };

  test.each(['nodenext', 'esnext'])(
    'takes it in Node.js, without the types of a browser (%s)',
    async (module) => {
      await lend('@types/node', 'undici-types');
      await write('calls.ts', CALLS);
      const resolution = module === 'esnext' ? { moduleResolution: 'bundler' } : {};
      expect(await check({ module, ...resolution, lib: ['es2022'], types: ['node'] }, ['calls.ts'])).toBe('');
    },
  );

  test('takes it in a page, without the types of Node.js, and with React', async () => {
    await lend('react', '@types/react', 'csstype');
    await write('calls.ts', CALLS);
    await write('page.ts', IN_A_PAGE);
    await write('react.ts', IN_REACT);
    const options = { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'], types: [] };
    expect(await check(options, ['calls.ts', 'page.ts', 'react.ts'])).toBe('');
  });
});

/** An app that follows one group until it is gone, and prints how many groups are left. */
const AN_APP = `
import { createTidemark } from 'tidemark-client';
import { createReading } from 'tidemark-client/reading';

const [url, way] = process.argv.slice(2);
class Socket {
  send(text) {
    const { ref } = JSON.parse(text);
    fetch(url + '/v1/inbox').then((answer) => answer.json()).then(({ groups }) => {
      const frame = { type: 'synced', ref, asOf: Date.now(), views: groups, complete: true };
      this.onmessage({ data: JSON.stringify(frame) });
    });
  }
  close() {}
  constructor() {
    setTimeout(() => this.onopen({}));
  }
}
const live = way === 'live' ? { wsUrl: 'wss://live.example', WebSocket: Socket } : {};
const storage = { get: () => null, set: () => undefined };
const options = { url, userId: 'ann', token: () => 'a-token', createReading, storage, ...live };
const tidemark = createTidemark({ ...options, onError: console.error });
const stop = tidemark.subscribe(() => undefined);
const reach = async (messages) => {
  while (tidemark.getSnapshot().badge.messages !== messages) await new Promise((go) => setTimeout(go, 10));
};
await reach(3);
tidemark.noteMessage('tea', '11', { senderId: 'bob' });
await reach(4);
tidemark.tracker('tea').shown('7');
await tidemark.tracker('tea').flush();
await reach(2);
tidemark.refresh('tea');
await reach(0);
stop();
await tidemark.close();
console.log(tidemark.getSnapshot().views.size);
`;

describe('the built package', () => {
  test.each(['live', 'in the inbox'])(
    'follows a group, until a refresh finds that it is gone (%s)',
    async (way) => {
      const unread = (count: number, firstId: string) => ({ count, mentions: 0, firstId, exact: true });
      const group = {
        ...{
          groupId: 'tea',
          messageId: null,
          head: '10',
          revision: 0,
          unread: unread(3, '6'),
          parentId: null,
        },
        ...{ notify: 'all', mutedUntil: null, archive: 'no', archived: false, preferencesRevision: 0 },
      };
      let groups: object[] = [group];
      const server = await listenOnLoopback(
        createServer((request, response) => {
          response.setHeader('content-type', 'application/json');
          if (request.method === 'GET') {
            const isOfArchive = request.url?.includes('archived');
            response.end(JSON.stringify({ groups: isOfArchive ? [] : groups, cursor: null }));
            return;
          }
          groups = [];
          const answer = { groupId: 'tea', userId: 'ann', messageId: '7', readAt: null, revision: 0 };
          response.end(JSON.stringify({ ...answer, unread: unread(2, '8'), advanced: true, clamped: false }));
        }),
      );
      try {
        const script = await write('an-app.js', AN_APP);
        const { stdout, stderr } = await run(process.execPath, [script, server.url, way], {
          timeout: 20_000,
        });
        expect([stdout, stderr]).toEqual(['0\n', '']);
      } finally {
        await server.close();
      }
    },
  );
});

describe('Node.js', () => {
  test('runs it', async () => {
    const asked: string[] = [];
    const server = await listenOnLoopback(
      createServer((request, response) => {
        asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
        response.setHeader('content-type', 'application/json');
        response.end('{"groupId":"tea","messageId":"18446744073709551614","head":"18446744073709551614"}');
      }),
    );
    try {
      const script = await write(
        'run.js',
        `import { createServiceApi } from 'tidemark-client/service';
        const api = createServiceApi({ url: process.argv[2], token: () => 'a-token' });
        console.log((await api.recordMessage({ groupId: 'a@b', messageId: '7', senderId: 'bob' })).head);`,
      );
      const { stdout } = await run(process.execPath, [script, server.url], { env: {} });
      expect(stdout).toBe('18446744073709551614\n');
      expect(asked).toEqual(['POST /v1/groups/a%40b/messages Bearer a-token']);
    } finally {
      await server.close();
    }
  });
});
