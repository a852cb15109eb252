import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { refuse } from '../aws/web-sockets/handshake.ts';
import type { Log } from '../command/log.ts';
import { UsageError } from '../command/usage-error.ts';
import type { Journal } from '../data/journal.ts';
import { type ApiClient, createApiClient, fieldsOf, type Json } from '../http/api-client.ts';
import type { FeedFrame, Member, Message } from './browser/feed.ts';
import { threadGroupId } from './browser/groups.ts';
import { mentionsIn } from './browser/mentions.ts';
import { isPerson, type Person, USER_IDS } from './browser/people.ts';

/** The members of each group from its start. */
const FIRST_MEMBERS = USER_IDS.slice(0, 2);

/** The ids of the page's chats: no other group can be one. The id of a thread has one more part. */
export const GROUP_ID = /^picnic(-[a-z0-9]{1,12})?$/;

/** The browser connects here for messages. */
export const FEED_PATH = '/_local/chat/feed';

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5_000;

/** What became of a message that a device sent. */
export type SendOutcome =
  | { readonly kind: 'accepted'; readonly messageId: string }
  /** The sender is not a member of the chat. */
  | { readonly kind: 'not-a-member' }
  /** The message to answer is not in the chat, or is in a thread itself. */
  | { readonly kind: 'no-thread' };

/** A line of the journal. A message is delivered when the journal has the line that it is recorded. */
export type ChatEntry =
  | ({ readonly kind: 'joined'; readonly groupId: string } & Member)
  | ({ readonly kind: 'sent'; readonly groupId: string } & Message)
  | { readonly kind: 'recorded'; readonly groupId: string; readonly messageId: string };

interface Device {
  readonly userId: string;
  readonly socket: WebSocket;
  /** How many of the group's delivered messages the device has. */
  has: number;
}

interface Group {
  readonly groupId: string;
  readonly members: Member[];
  /** Accepted, oldest first. Those at the end may not be recorded yet. */
  readonly accepted: Message[];
  readonly byKey: Map<string, Message>;
  /** Recorded with Tidemark, in the order of their ids: those of the chat and of its threads. */
  readonly delivered: Message[];
  /** The messages whose threads are groups of Tidemark with this parent and these members, as far as this run knows. */
  readonly openThreads: Set<string>;
  readonly devices: Set<Device>;
  /** Settles when everything so far is recorded: joins and messages reach Tidemark in the order of the chat. */
  turn: Promise<void>;
}

export interface ChatOptions {
  readonly apiUrl: string;
  readonly issueToken: (subject: string, kind: 'user' | 'service') => Promise<string>;
  readonly journal: Pick<Journal<ChatEntry>, 'entries' | 'append'>;
  readonly log: Log;
}

/**
 * The chat of the demo page: members, messages with their texts, and their delivery. As any chat back end, it records each
 * message with Tidemark before it delivers it. It does not check who calls, so it is for the local stack alone.
 */
export class Chat {
  readonly #journal: ChatOptions['journal'];
  readonly #log: Log;
  readonly #api: ApiClient;
  readonly #groups = new Map<string, Group>();
  readonly #server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: 1024 });
  readonly #closed = new AbortController();
  #lastId = 0n;

  constructor({ apiUrl, issueToken, journal, log }: ChatOptions) {
    this.#journal = journal;
    this.#log = log;
    this.#api = createApiClient(apiUrl, issueToken);
    for (const entry of journal.entries) this.#restore(entry);
  }

  /** Records the messages that an earlier run accepted and did not record. */
  resume(): void {
    for (const group of this.#groups.values()) {
      const delivered = new Set(group.delivered);
      for (const message of group.accepted) if (!delivered.has(message)) this.#record(group, message);
    }
  }

  /** Accepts a message, or refuses it and changes nothing. The message is delivered once it is recorded. */
  send(groupId: string, given: Omit<Message, 'messageId' | 'sentAt'>): SendOutcome {
    const { senderId, text, key, threadOf } = given;
    const group = this.#groups.get(groupId);
    if (!group || !isMember(group, senderId)) return { kind: 'not-a-member' };
    const known = group.byKey.get(key);
    if (known) return { kind: 'accepted', messageId: known.messageId };
    if (threadOf !== undefined && !isInChat(group, threadOf)) return { kind: 'no-thread' };
    const nowMs = Date.now();
    // Made like a snowflake id: milliseconds, then 22 bits. Ids also grow after a restart, and are too large for a JavaScript number.
    const floor = BigInt(nowMs) << 22n;
    this.#lastId = this.#lastId < floor ? floor : this.#lastId + 1n;
    const sentAt = new Date(nowMs).toISOString();
    const message: Message = {
      ...{ messageId: String(this.#lastId), senderId, text, sentAt, key },
      ...(threadOf !== undefined && { threadOf }),
    };
    this.#journal.append({ kind: 'sent', groupId, ...message });
    accept(group, message);
    this.#record(group, message);
    return { kind: 'accepted', messageId: message.messageId };
  }

  /**
   * Makes a person a member, after everything that was sent before.
   *
   * @throws UsageError if back ends have no tokens
   */
  async join(groupId: string, userId: Person): Promise<void> {
    const group = this.#groupOf(groupId);
    await this.#inTurn(group, () => this.#addMembers(group, [userId]));
  }

  /** Opens the feed of a device: what it does not have, then what follows. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { searchParams } = new URL(request.url ?? '', 'http://localhost');
    const { group: groupId = '', user: userId = '', after = '0' } = Object.fromEntries(searchParams);
    if (!GROUP_ID.test(groupId) || !isPerson(userId) || !/^\d{1,20}$/.test(after)) {
      refuse(
        socket,
        400,
        '{"message":"The feed takes a group, a user, and the message after which it starts."}',
      );
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      const group = this.#groupOf(groupId);
      const newer = group.delivered.findIndex(({ messageId }) => BigInt(messageId) > BigInt(after));
      const device = { userId, socket: opened, has: newer === -1 ? group.delivered.length : newer };
      // A socket that fails is closed next.
      opened.on('error', () => undefined);
      opened.on('close', () => group.devices.delete(device));
      group.devices.add(device);
      if (group.members.length > 0) deliver(group, device);
      this.#start(group, device);
    });
  }

  close(): void {
    this.#closed.abort();
    for (const { devices } of this.#groups.values()) for (const { socket } of devices) socket.terminate();
    this.#api.close();
  }

  /** A new group starts with its first device. One that was deleted in Tidemark begins again there with the next device. */
  #start(group: Group, device: Device): void {
    const task = () =>
      group.members.length > 0 ? this.#restoreMembers(group) : this.#addMembers(group, FIRST_MEMBERS);
    this.#inTurn(group, task).catch((error: unknown) => {
      const problem =
        error instanceof UsageError
          ? error.message
          : 'The chat could not start. The log of the stack has the reason.';
      send(device, { problem });
    });
  }

  #groupOf(groupId: string): Group {
    const known = this.#groups.get(groupId);
    if (known) return known;
    const group: Group = {
      groupId,
      members: [],
      accepted: [],
      byKey: new Map(),
      delivered: [],
      openThreads: new Set(),
      devices: new Set(),
      turn: Promise.resolve(),
    };
    this.#groups.set(groupId, group);
    return group;
  }

  #restore(entry: ChatEntry): void {
    const group = this.#groupOf(entry.groupId);
    if (entry.kind === 'joined') {
      group.members.push({ userId: entry.userId, joinedAfter: entry.joinedAfter });
    } else if (entry.kind === 'sent') {
      const { kind: _kind, groupId: _groupId, ...message } = entry;
      const { messageId } = message;
      accept(group, message);
      const id = BigInt(messageId);
      if (id > this.#lastId) this.#lastId = id;
    } else {
      const message = group.accepted.findLast(({ messageId }) => messageId === entry.messageId);
      // The journal keeps only its newest lines.
      if (message) group.delivered.push(message);
    }
  }

  #record(group: Group, message: Message): void {
    const { groupId } = group;
    const { messageId, senderId, sentAt, text, threadOf } = message;
    const mentions = mentionsIn(text);
    const body = { messageId, senderId, sentAt, ...(mentions.length > 0 && { mentions }) };
    void this.#inTurn(group, async () => {
      if (threadOf !== undefined && !(await this.#openThread(group, threadOf))) return;
      const path = `/v1/groups/${threadOf === undefined ? groupId : threadGroupId(groupId, threadOf)}/messages`;
      if ((await this.#acknowledged('POST', path, body)) === null) return;
      this.#journal.append({ kind: 'recorded', groupId, messageId });
      group.delivered.push(message);
      deliverToAll(group);
    });
  }

  /**
   * Makes a thread a group of its own, whose parent is the chat and whose members are those of the chat. Returns false if the
   * stack stops first.
   */
  async #openThread({ groupId, members, openThreads }: Group, messageId: string): Promise<boolean> {
    if (openThreads.has(messageId)) return true;
    const path = `/v1/groups/${threadGroupId(groupId, messageId)}`;
    if ((await this.#acknowledged('PUT', path, { parentId: groupId })) === null) return false;
    const userIds = members.map(({ userId }) => userId);
    if ((await this.#acknowledged('POST', `${path}/members`, { userIds })) === null) return false;
    openThreads.add(messageId);
    return true;
  }

  async #addMembers(group: Group, people: readonly Person[]): Promise<void> {
    const { groupId } = group;
    for (const userId of people) {
      if (isMember(group, userId)) continue;
      // The chat comes last: a join that ends in between is repeated with all its threads.
      for (const thread of threadsOf(group)) {
        const path = `/v1/groups/${threadGroupId(groupId, thread)}/members/${userId}`;
        if ((await this.#acknowledged('PUT', path)) === null) return;
      }
      const answer = await this.#acknowledged('PUT', `/v1/groups/${groupId}/members/${userId}`);
      if (answer === null) return;
      const { joinedAfter } = answer;
      const member = { userId, joinedAfter: typeof joinedAfter === 'string' ? joinedAfter : null };
      this.#journal.append({ kind: 'joined', groupId, ...member });
      group.members.push(member);
      // A new member gets everything that was sent before, too.
      for (const device of group.devices) if (device.userId === userId) device.has = 0;
    }
    deliverToAll(group);
  }

  /**
   * Makes the members of the chat members in Tidemark again, if they are not any more: at once in the group of the chat, and in
   * each thread with its next message.
   */
  async #restoreMembers(group: Group): Promise<void> {
    const { groupId, members, openThreads } = group;
    const userIds = members.map(({ userId }) => userId);
    const answer = await this.#acknowledged('POST', `/v1/groups/${groupId}/members`, { userIds });
    if (answer === null || answer.added === 0) return;
    // The threads may have been deleted too.
    openThreads.clear();
    for (const device of group.devices) send(device, { members, messages: [], isRestored: true });
  }

  #inTurn(group: Group, task: () => Promise<void>): Promise<void> {
    const done = group.turn.then(task);
    group.turn = done.catch((error: unknown) => this.#log.line(`chat ${group.groupId} failed: ${error}`));
    return done;
  }

  /**
   * Calls Tidemark until it acknowledges. Every call may be repeated. Returns null if the stack stops first.
   *
   * @throws UsageError if back ends have no tokens
   */
  async #acknowledged(
    method: string,
    path: string,
    body?: object,
  ): Promise<Readonly<Record<string, Json>> | null> {
    for (let pauseMs = FIRST_RETRY_MS; !this.#closed.signal.aborted; pauseMs *= 2) {
      const answer = await this.#api.asService(method, path, body).catch((error: unknown) => error);
      if (this.#closed.signal.aborted) return null;
      if (answer instanceof UsageError) throw answer;
      const { status = 0 } = answer as { readonly status?: number };
      if (status === 200 || status === 201) return fieldsOf(answer as { readonly body: Json });
      this.#log.line(`chat calls again: ${method} ${path} ${status === 0 ? answer : status}`);
      await delay(Math.min(pauseMs, LAST_RETRY_MS), undefined, { ref: false });
    }
    return null;
  }
}

function accept({ accepted, byKey }: Group, message: Message): void {
  accepted.push(message);
  byKey.set(message.key, message);
}

function isMember({ members }: Group, userId: string): boolean {
  return members.some((member) => member.userId === userId);
}

/** Whether the chat has delivered this message, outside its threads. */
function isInChat({ delivered }: Group, messageId: string): boolean {
  return delivered.some((message) => message.messageId === messageId && message.threadOf === undefined);
}

/** The messages that were answered in a thread. */
function threadsOf({ delivered }: Group): ReadonlySet<string> {
  return new Set(delivered.flatMap(({ threadOf }) => threadOf ?? []));
}

function deliverToAll(group: Group): void {
  for (const device of group.devices) deliver(group, device);
}

/** Sends a device what it does not have. Before it is a member, it gets no message. */
function deliver(group: Group, device: Device): void {
  const { members, delivered } = group;
  const messages = isMember(group, device.userId) ? delivered.slice(device.has) : [];
  device.has += messages.length;
  send(device, { members, messages });
}

function send({ socket }: Pick<Device, 'socket'>, frame: FeedFrame): void {
  socket.send(JSON.stringify(frame));
}
