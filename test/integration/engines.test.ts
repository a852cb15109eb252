import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { type DynamoDbLocal, startDynamoDbLocal } from '../../local/engines/dynamodb-local.ts';
import { startGuardedProcess } from '../../local/engines/guarded-process.ts';
import { startRedis } from '../../local/engines/redis.ts';
import { engines, eventually } from '../support/engines.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-engines-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Runs a script in a Node.js of its own, beside the engines' modules. */
function startNode(script: string, env: NodeJS.ProcessEnv = {}) {
  const cwd = new URL('../../local/engines/', import.meta.url);
  return spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const SERVER = `const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
  process.on('SIGTERM', () => {});
  console.log(JSON.stringify({ pid: process.pid, port: server.address().port }));
});`;

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).then((listening) => {
    socket.destroy();
    return listening === true;
  });
}

describe('a guarded process', () => {
  test('has its own process id and is gone once it is stopped, even when it refuses to end', async () => {
    const server = await startGuardedProcess(process.execPath, ['--eval', SERVER]);
    const printed = await eventually(() => JSON.parse(server.lastOutput()));
    expect(printed.pid).toBe(server.pid);
    expect(await isListening(printed.port)).toBe(true);
    await Promise.all([server.stop(10), server.stop(10)]);
    expect(await isListening(printed.port)).toBe(false);
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await server.stop();
  });

  test('reports how it ended and what it printed last', async () => {
    const failing = await startGuardedProcess('/bin/sh', ['-c', 'echo out; echo "went wrong" >&2; exit 3']);
    expect(await failing.exited).toEqual({ code: 3, signal: null });
    expect(failing.lastOutput().split('\n').sort()).toEqual(['out', 'went wrong']);
    await failing.stop();
  });

  test('dies with its parent, also when that is killed', async () => {
    const parent = startNode(`
      import { startGuardedProcess } from './guarded-process.ts';
      const server = await startGuardedProcess(process.execPath, ['--eval', ${JSON.stringify(SERVER)}]);
      const waiting = setInterval(() => {
        if (!server.lastOutput()) return;
        console.log(server.lastOutput());
        clearInterval(waiting);
      }, 5);
    `);
    const output: string = await new Promise((resolve) =>
      parent.stdout.once('data', (data) => resolve(`${data}`)),
    );
    const { port } = JSON.parse(output);
    expect(await isListening(port)).toBe(true);
    parent.kill('SIGKILL');
    await eventually(async () => expect(await isListening(port)).toBe(false));
  });
});

function clientOf({ endpoint }: DynamoDbLocal, accessKeyId: string): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey: 'any' },
  });
}

async function createTable(client: DynamoDBClient, TableName: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'PK', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'PK', KeyType: 'HASH' }],
    }),
  );
}

describe('DynamoDB Local', () => {
  test('keeps items and stream when it is killed and started again', async () => {
    const dataDirectory = join(directory, 'dynamodb');
    const first = await startDynamoDbLocal({ dataDirectory });
    const settings = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
    const before = new DynamoDBClient({ ...settings, endpoint: first.endpoint });
    await before.send(
      new CreateTableCommand({
        TableName: 'kept',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'PK', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'PK', KeyType: 'HASH' }],
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      }),
    );
    await before.send(new PutItemCommand({ TableName: 'kept', Item: { PK: { S: 'a' }, value: { N: '1' } } }));
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });

    const second = await startDynamoDbLocal({ dataDirectory });
    const after = new DynamoDBClient({ ...settings, endpoint: second.endpoint });
    const streams = new DynamoDBStreamsClient({ ...settings, endpoint: second.endpoint });
    const { Item: item } = await after.send(
      new GetItemCommand({ TableName: 'kept', Key: { PK: { S: 'a' } } }),
    );
    expect(item).toEqual({ PK: { S: 'a' }, value: { N: '1' } });
    const { Table: table } = await after.send(new DescribeTableCommand({ TableName: 'kept' }));
    const StreamArn = table?.LatestStreamArn;
    const { StreamDescription: stream } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    const { ShardIterator } = await streams.send(
      new GetShardIteratorCommand({
        StreamArn,
        ShardId: stream?.Shards?.[0]?.ShardId,
        ShardIteratorType: 'TRIM_HORIZON',
      }),
    );
    const { Records: records } = await streams.send(new GetRecordsCommand({ ShardIterator }));
    expect(records?.map(({ dynamodb }) => dynamodb?.NewImage)).toEqual([
      { PK: { S: 'a' }, value: { N: '1' } },
    ]);
    await second.stop();
  });

  test('shows a stranger with other credentials no table and no item', async () => {
    const engine = await startDynamoDbLocal({
      dataDirectory: join(directory, 'guarded'),
      accessKeyId: 'TheOwnersKey1',
    });
    try {
      const owner = clientOf(engine, 'TheOwnersKey1');
      await createTable(owner, 'guarded');
      await owner.send(new PutItemCommand({ TableName: 'guarded', Item: { PK: { S: 'a' } } }));
      for (const accessKeyId of ['local', 'TheOwnersKey2', 'AKIAIOSFODNN7EXAMPLE']) {
        const stranger = clientOf(engine, accessKeyId);
        expect(await stranger.send(new ListTablesCommand({}))).toMatchObject({ TableNames: [] });
        const asking = stranger.send(new GetItemCommand({ TableName: 'guarded', Key: { PK: { S: 'a' } } }));
        await expect(asking).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
      }
      expect(await owner.send(new ListTablesCommand({}))).toMatchObject({ TableNames: ['guarded'] });
    } finally {
      await engine.stop();
    }
  });

  test('lets no web page read its answers', async () => {
    const engine = await startDynamoDbLocal();
    try {
      for (const method of ['OPTIONS', 'POST']) {
        const { headers } = await fetch(engine.endpoint, {
          method,
          headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
          ...(method === 'POST' && { body: '{}' }),
        });
        expect(headers.get('access-control-allow-origin')).toBeNull();
      }
    } finally {
      await engine.stop();
    }
  });

  test('keeps its database for its user alone', async () => {
    const dataDirectory = join(directory, 'private');
    const engine = await startDynamoDbLocal({ dataDirectory, accessKeyId: 'TheOwnersKey1' });
    try {
      await createTable(clientOf(engine, 'TheOwnersKey1'), 'private');
      const modes = readdirSync(dataDirectory).map(
        (name) => statSync(join(dataDirectory, name)).mode & 0o777,
      );
      expect(modes.length).toBeGreaterThan(0);
      expect(new Set(modes)).toEqual(new Set([0o600]));
      expect(statSync(dataDirectory).mode & 0o777).toBe(0o700);
    } finally {
      await engine.stop();
    }
  });

  test('takes over the database that an older version shared among all credentials', async () => {
    const dataDirectory = join(directory, 'older');
    const older = await startDynamoDbLocal({ dataDirectory, accessKeyId: 'older' });
    await createTable(clientOf(older, 'older'), 'older');
    await clientOf(older, 'older').send(
      new PutItemCommand({ TableName: 'older', Item: { PK: { S: 'a' }, value: { N: '1' } } }),
    );
    await older.stop();
    // The two differ in nothing but the name of the file.
    await rename(join(dataDirectory, 'older_us-east-1.db'), join(dataDirectory, 'shared-local-instance.db'));

    const newer = await startDynamoDbLocal({ dataDirectory, accessKeyId: 'TheOwnersKey1' });
    try {
      const asked = new GetItemCommand({ TableName: 'older', Key: { PK: { S: 'a' } } });
      expect(await clientOf(newer, 'TheOwnersKey1').send(asked)).toMatchObject({
        Item: { value: { N: '1' } },
      });
      expect(readdirSync(dataDirectory)).not.toContain('shared-local-instance.db');
    } finally {
      await newer.stop();
    }
  });

  test('refuses a database of other credentials, since its data would seem to be lost', async () => {
    const dataDirectory = join(directory, 'others');
    await mkdir(dataDirectory);
    await writeFile(join(dataDirectory, 'AnotherKey_us-east-1.db'), '');
    const starting = startDynamoDbLocal({ dataDirectory, accessKeyId: 'TheOwnersKey1' });
    const outcome = await starting.then(
      (engine) => engine.stop(),
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({
      name: 'UsageError',
      message:
        `The database in ${dataDirectory} was made with the access key of another secrets.json: ` +
        'bring that file back or start once with --fresh.',
    });
    expect(readdirSync(dataDirectory)).toEqual(['AnotherKey_us-east-1.db']);
  });

  const START_ANY_LOCAL = `
    import { startDynamoDbLocal } from './dynamodb-local.ts';
    await startDynamoDbLocal().catch((error) => console.log(error.name, '|', error.message));`;

  /** A folder with a bin/java that prints this version and runs nothing; without a version, an empty one. */
  async function aJavaHome(name: string, version?: string): Promise<string> {
    const home = join(directory, name);
    await mkdir(join(home, 'bin'), { recursive: true });
    if (version !== undefined) {
      const java = join(home, 'bin', 'java');
      await writeFile(java, `#!/bin/sh\n[ "$1" = -version ] && echo '${version}' >&2 && exit 0\nexit 1\n`);
      await chmod(java, 0o755);
    }
    return home;
  }

  const OLD = 'openjdk version "11.0.2" 2019-01-15';
  const GOOD = 'openjdk version "21.0.4" 2024-07-16';

  test.each([
    ['no Java', undefined, 'none was found'],
    ['an old Java', OLD, 'the one found is version "11.0.2"'],
    ['a very old Java', 'java version "1.8.0_392"', 'the one found is version "1.8.0_392"'],
  ])('asks for Java in one sentence where there is %s', async (name, version, found) => {
    const javaHome = await aJavaHome(name, version);
    for (const env of [
      { JAVA_HOME: '', PATH: join(javaHome, 'bin') },
      // No other Java is on the PATH that the variable could hide.
      { JAVA_HOME: javaHome, PATH: directory },
    ]) {
      const { stdout } = startNode(START_ANY_LOCAL, env);
      expect(await text(stdout)).toBe(
        `JavaRequiredError | DynamoDB Local needs Java 17 or newer, and ${found}: install one or point JAVA_HOME at it.\n`,
      );
    }
  });

  test.each([
    ['leads nowhere', undefined, 'has none'],
    ['leads to an old Java', OLD, 'has version "11.0.2"'],
  ])('names JAVA_HOME as the cause where it %s and the PATH has a good Java', async (name, version, has) => {
    const javaHome = await aJavaHome(name, version);
    const good = await aJavaHome('a good Java', GOOD);
    const { stdout } = startNode(START_ANY_LOCAL, { JAVA_HOME: javaHome, PATH: join(good, 'bin') });
    expect(await text(stdout)).toBe(
      `JavaRequiredError | DynamoDB Local needs Java 17 or newer, and JAVA_HOME (${javaHome}) ${has}: ` +
        'unset JAVA_HOME, since the java on your PATH is version "21.0.4".\n',
    );
  });
});

describe('redis-server with a password', () => {
  const onRealRedis = engines.redisEngine === 'redis-server' ? test : test.skip;

  onRealRedis('answers nobody who does not give it, and shows it in no list of processes', async () => {
    const redis = await startRedis({ preferred: 'redis-server', password: 'ThePassword1' });
    try {
      expect(redis.url).toMatch(/^redis:\/\/:ThePassword1@127\.0\.0\.1:\d+$/);
      const friend = new Redis(redis.url);
      expect(await friend.ping()).toBe('PONG');
      friend.disconnect();

      const { hostname, port } = new URL(redis.url);
      const socket = connect(Number(port), hostname);
      const answer = new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
      socket.write('KEYS *\r\n');
      expect(await answer).toBe('-NOAUTH Authentication required.\r\n');
      socket.destroy();

      const commandLine = await readFile(`/proc/${redis.pid}/cmdline`, 'utf8').catch(() => '');
      expect(commandLine).not.toContain('ThePassword1');
    } finally {
      await redis.stop();
    }
  });
});

describe('the embedded Redis', () => {
  test('answers nobody who does not give its password first', async () => {
    const redis = await startRedis({ preferred: 'embedded', password: 'ThePassword1' });
    try {
      expect(redis.url).toMatch(/^redis:\/\/:ThePassword1@127\.0\.0\.1:\d+$/);
      const { hostname, port } = new URL(redis.url);
      const friend = new Redis(redis.url);
      // Sent in one piece with the password.
      expect(await Promise.all([friend.set('a', '1'), friend.get('a')])).toEqual(['OK', '1']);
      for (const said of [
        'GET a\r\n',
        '*2\r\n$3\r\nGET\r\n$1\r\na\r\n',
        auth('ThePassword2'),
        'POST / HTTP/1.1\r\n',
      ]) {
        expect(await answerTo(Number(port), hostname, [said])).toBe('-NOAUTH Authentication required.\r\n');
      }
      // However the bytes are cut.
      const [half, rest] = [auth('ThePassword1').slice(0, 9), auth('ThePassword1').slice(9)];
      expect(await answerTo(Number(port), hostname, [half, `${rest}*1\r\n$4\r\nQUIT\r\n`])).toBe(
        '+OK\r\n+OK\r\n',
      );
      friend.disconnect();
    } finally {
      await redis.stop();
    }
  });

  test('runs nothing that a web page sends it', async () => {
    const redis = await startRedis({ preferred: 'embedded' });
    try {
      const client = new Redis(redis.url);
      await client.set('a', '1');
      const posted = fetch(redis.url.replace('redis:', 'http:'), {
        method: 'POST',
        body: '\r\nFLUSHALL\r\nSET b 2\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n',
      });
      await expect(posted).rejects.toThrow();
      expect([await client.get('a'), await client.get('b')]).toEqual(['1', null]);
      client.disconnect();
    } finally {
      await redis.stop();
    }
  });

  const auth = (password: string) => `*2\r\n$4\r\nAUTH\r\n$${password.length}\r\n${password}\r\n`;

  /** What is answered until the connection is closed. */
  async function answerTo(port: number, host: string, pieces: readonly string[]): Promise<string> {
    const socket = connect({ port, host, noDelay: true });
    const answer = text(socket);
    for (const piece of pieces) {
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return answer;
  }
});

describe('where no redis-server is installed', () => {
  const start = `
    import { startRedis } from './redis.ts';
    try {
      const redis = await startRedis();
      console.log(redis.engine, redis.pid);
      await redis.stop();
    } catch (error) {
      console.log(error.message);
    }`;

  test('the embedded engine is used', async () => {
    const { stdout } = startNode(start, { PATH: directory, TIDEMARK_REQUIRE_REDIS_SERVER: '' });
    expect(await text(stdout)).toBe('embedded null\n');
  });

  test('a run that requires the real one fails', async () => {
    const { stdout } = startNode(start, { PATH: directory, TIDEMARK_REQUIRE_REDIS_SERVER: '1' });
    expect(await text(stdout)).toBe('redis-server is required, but it is not on the PATH: install Redis.\n');
  });
});
