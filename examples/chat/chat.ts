/**
 * A small chat that uses Tidemark for its read state. It keeps rooms in memory, and the cookie `user=alice` names the user:
 * replace these two with your database and your sessions.
 */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { createReceiver } from '../webhook/receiver.ts';
import { createSeen } from '../webhook/seen.ts';

interface Room {
  readonly members: Set<string>;
  readonly messages: { readonly messageId: string; readonly senderId: string; readonly text: string }[];
  /** Settles once the newest message is recorded. */
  turn: Promise<unknown>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Receipts = { readonly receipts: readonly { readonly readCount?: number }[] };
type Inbox = {
  readonly groups: readonly { readonly groupId: string; readonly unread: { count: number } }[];
  readonly cursor: string | null;
};

/** `token` is a service token; `webhookSecret` begins with `whsec_`. */
export function createChat(tidemarkUrl: string, token: string, webhookSecret: string): RequestListener {
  /** How far everyone may see that the members have read: the webhook's events report it. */
  const seen = createSeen();
  const receive = createReceiver({ secret: webhookSecret, store: seen.follow });
  const rooms = new Map<string, Room>();
  let lastId = 0;

  function roomOf(name: string): Room {
    const room = rooms.get(name) ?? { members: new Set(), messages: [], turn: Promise.resolve() };
    rooms.set(name, room);
    return room;
  }

  /** Sends a call again if it was not acknowledged, after a pause that doubles: every call may be repeated. */
  async function tidemark(
    method: string,
    path: string,
    body?: unknown,
    tries = 5,
    pauseSeconds = 1,
  ): Promise<Answer> {
    const response = await fetch(`${tidemarkUrl}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => null);
    if (response && response.status !== 429 && response.status < 500) {
      return { status: response.status, body: await response.json() };
    }
    if (tries === 1) throw new Error(`Tidemark did not acknowledge ${method} ${path}.`);
    await delay(1_000 * Math.max(pauseSeconds, Number(response?.headers.get('retry-after') ?? 0)));
    return tidemark(method, path, body, tries - 1, pauseSeconds * 2);
  }

  async function join(name: string, userId: string): Promise<Answer> {
    const joined = await tidemark('PUT', `/groups/${name}/members/${userId}`);
    if (joined.status <= 201) roomOf(name).members.add(userId);
    return joined;
  }

  /**
   * Records messages before it delivers them, in the order of their ids: so no mark is ahead of its message. A message that
   * Tidemark does not acknowledge is not sent, but may be recorded: with a database, send it from an outbox (docs/adopting.md).
   */
  function send(name: string, senderId: string, words: string): Promise<Answer> {
    const room = roomOf(name);
    const sending = room.turn.then(async () => {
      lastId = Math.max(lastId + 1, Date.now()); // also grows after a restart
      const messageId = String(lastId);
      const recorded = await tidemark('POST', `/groups/${name}/messages`, { messageId, senderId });
      if (recorded.status <= 201) room.messages.push({ messageId, senderId, text: words });
      return recorded;
    });
    room.turn = sending.catch(() => undefined);
    return sending;
  }

  async function show(name: string, user: string): Promise<Answer> {
    const shown = roomOf(name).messages.slice(-100);
    const { body: view } = await tidemark('GET', `/users/${user}/groups/${name}/watermark`);
    const ids = { messageIds: shown.map(({ messageId }) => messageId) };
    const counted =
      shown.length > 0 ? await tidemark('POST', `/users/${user}/groups/${name}/receipts`, ids) : null;
    const { receipts } = (counted?.body ?? { receipts: [] }) as Receipts;
    const withCounts = shown.map((message, index) => ({ ...message, readCount: receipts[index]?.readCount }));
    return { status: 200, body: { view, messages: withCounts, seen: seen.of(name).members } };
  }

  /** A page of the inbox may be short or empty, and still others may follow: the last one has no cursor. */
  async function badges(user: string): Promise<Answer> {
    const counts: [groupId: string, count: number][] = [];
    let next = '';
    do {
      const answer = await tidemark('GET', `/users/${user}/inbox?unreadOnly=true${next}`);
      if (answer.status !== 200) return answer;
      const { groups, cursor } = answer.body as Inbox;
      for (const { groupId, unread } of groups) counts.push([groupId, unread.count]);
      next = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    } while (next !== '');
    return { status: 200, body: Object.fromEntries(counts) };
  }

  async function answer({ method, url = '', headers }: IncomingMessage, body: string): Promise<Answer> {
    const user = /(?:^|; )user=(\w+)/.exec(headers.cookie ?? '')?.[1];
    if (user === undefined) return { status: 401, body: { detail: 'Send the cookie user=NAME.' } };
    const path = /^\/(badges|rooms\/([\w-]+)(?:\/(members|messages|read|unread))?(?:\/(\w+))?)$/.exec(url);
    const [, kind, name = '', what = '', member = ''] = path ?? [];
    const fields = JSON.parse(body || '{}') as Readonly<Record<string, string>>;
    if (method === 'GET' && kind === 'badges') return badges(user);
    if (method === 'PUT' && what === 'members') return join(name, member);
    if (!rooms.get(name)?.members.has(user))
      return { status: 404, body: { detail: 'There is no such room.' } };
    const group = `/users/${user}/groups/${name}`;
    if (method === 'GET' && what === '') return show(name, user);
    if (method === 'POST' && what === 'messages') return send(name, user, fields.text ?? '');
    if (method === 'PUT' && what === 'read') return tidemark('PUT', `${group}/watermark`, fields);
    if (method === 'POST' && what === 'unread') return tidemark('POST', `${group}/unread`, fields);
    return { status: 405, body: { detail: 'There is no such route.' } };
  }

  return async (request, response) => {
    if (request.url === '/tidemark-webhook') return receive(request, response);
    const { status, body } = await text(request)
      .then((received) => answer(request, received))
      .catch((error: unknown) => ({ status: 500, body: { detail: String(error) } }));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

if (import.meta.main) {
  const { TIDEMARK_URL = '', TIDEMARK_TOKEN = '', TIDEMARK_WEBHOOK_SECRET = '', PORT = '4000' } = process.env;
  const chat = createServer(createChat(TIDEMARK_URL, TIDEMARK_TOKEN, TIDEMARK_WEBHOOK_SECRET));
  chat.listen(Number(PORT), '127.0.0.1', () => {
    const address = chat.address();
    if (address && typeof address === 'object') console.log(`Chat ready on http://127.0.0.1:${address.port}`);
  });
}
