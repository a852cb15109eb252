import { createTidemark, type Tidemark, type Tracker, type View } from 'tidemark-client';
import { createReading } from 'tidemark-client/reading';
import type { FeedFrame, Member, Message } from './feed.ts';
import { threadGroupId } from './groups.ts';
import { mentionsIn } from './mentions.ts';
import { createNetwork, type Network } from './network.ts';

/** A message that the chat has not delivered yet. */
export interface Draft {
  readonly key: string;
  readonly text: string;
  readonly threadOf?: string;
}

/** The chat, or one of its threads: a group of its own for Tidemark. */
export interface Channel {
  readonly groupId: string;
  /** The message of the chat that the thread answers; null for the chat. */
  readonly threadOf: string | null;
  readonly tracker: Tracker;
  readonly messages: readonly Message[];
  readonly drafts: readonly Draft[];
  /** The own view of the group; null until it is known. */
  view(): View | null;
  send(text: string): void;
}

/** One device of one person: a network of its own, a client of Tidemark, and the chat's messages. */
export interface Device {
  readonly userId: string;
  readonly network: Network;
  readonly tidemark: Tidemark;
  /** Whether what is read from now on is read privately. */
  isPrivate: boolean;
  readonly members: readonly Member[];
  readonly isMember: boolean;
  readonly chat: Channel;
  /** By the message that they answer: the threads with messages, and those that were opened. */
  readonly threads: ReadonlyMap<string, Channel>;
  /** Opens the thread of a message of the chat. */
  thread(messageId: string): Channel;
  /** Why the chat does not work, or has refused a message; null if there is no problem. */
  readonly problem: string | null;
  /** Throws a ChatRefusal if the chat refuses it, and another error if it cannot be reached. */
  join(): Promise<void>;
}

/** The chat refused what a device sent. Its message is for the user. */
export class ChatRefusal extends Error {}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2_000;
/** Messages that arrive together are marked delivered together. */
const DELIVERED_AFTER_MS = 300;

/**
 * @param wsPath the path of the WebSocket API; undefined if the stack has none
 * @param changed called after each change that the client of Tidemark does not report
 */
export function createDevice(
  userId: string,
  groupId: string,
  wsPath: string | undefined,
  changed: () => void,
): Device {
  const network = createNetwork();
  const ws = location.origin.replace(/^http/, 'ws');
  const draftsKey = `drafts:${groupId}:${userId}`;
  let token: Promise<string> | undefined;
  let members: readonly Member[] = [];
  let messages: readonly Message[] = [];
  let drafts: readonly Draft[] = JSON.parse(sessionStorage.getItem(draftsKey) ?? '[]');
  let problem: string | null = null;
  let isSending = false;
  /** By group, the newest message that this device has marked delivered. */
  const deliveredUpTo = new Map<string, string>();
  const threads = new Map<string, Channel>();
  /** The groups whose views were asked for. */
  const asked = new Set<string>();
  let deliveredTimer: number | undefined;

  /** Calls a route of the local chat. Throws a ChatRefusal if it refuses, and another error if it cannot be reached. */
  async function post<T>(path: string, body: object): Promise<T> {
    const { signal } = new AbortController();
    const response = await network.fetch(`/_local/chat/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      keepalive: false,
      signal,
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as T;
    if (response.status >= 500) throw new Error(text);
    throw new ChatRefusal((JSON.parse(text) as { message: string }).message);
  }

  function freshToken(): Promise<string> {
    const fetched = post<{ token: string }>('token', { userId }).then((answer) => answer.token);
    token = fetched;
    fetched.catch(() => {
      if (token === fetched) token = undefined;
    });
    return fetched;
  }

  const tidemark = createTidemark({
    url: location.origin,
    wsUrl: wsPath === undefined ? undefined : ws + wsPath,
    userId,
    token: (refused) => (refused === undefined && token ? token : freshToken()),
    fetch: network.fetch,
    WebSocket: network.WebSocket,
    // Of this tab alone: each tab is a device of its own.
    storage: {
      get: (key) => sessionStorage.getItem(key),
      set: (key, value) =>
        value === null ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, value),
    },
    createReading,
    isPrivate: () => device.isPrivate,
    // Without a network, failures are expected.
    onError: (error) => network.isOn && console.warn(error),
    onDropped: (mark) => console.warn('A mark was given up.', mark),
  });

  const isMember = () => members.some((member) => member.userId === userId);

  function channelOf(threadOf: string | null): Channel {
    const id = threadOf === null ? groupId : threadGroupId(groupId, threadOf);
    const isInIt = (one: { readonly threadOf?: string }) => (one.threadOf ?? null) === threadOf;
    return {
      ...{ groupId: id, threadOf, tracker: tidemark.tracker(id) },
      get messages() {
        return messages.filter(isInIt);
      },
      get drafts() {
        return drafts.filter(isInIt);
      },
      view: () => tidemark.getSnapshot().views.get(id) ?? null,
      send(text) {
        keepDrafts([...drafts, { key: crypto.randomUUID(), text, ...(threadOf !== null && { threadOf }) }]);
        void sendDrafts();
      },
    };
  }

  const chat = channelOf(null);

  const device: Device = {
    ...{ userId, network, tidemark, chat, threads, isPrivate: false },
    thread(messageId) {
      const channel = threads.get(messageId) ?? channelOf(messageId);
      threads.set(messageId, channel);
      return channel;
    },
    get members() {
      return members;
    },
    get isMember() {
      return isMember();
    },
    get problem() {
      return problem;
    },
    join: () => post('members', { groupId, userId }),
  };

  function keepDrafts(left: readonly Draft[]): void {
    drafts = left;
    sessionStorage.setItem(draftsKey, JSON.stringify(drafts));
    changed();
  }

  /** Sends the drafts in order. After a failure it continues when the feed is connected again. */
  async function sendDrafts(): Promise<void> {
    if (isSending) return;
    isSending = true;
    const sent = new Set<string>();
    try {
      for (;;) {
        const next = drafts.find(({ key }) => !sent.has(key));
        if (!next) break;
        try {
          await post('messages', { groupId, senderId: userId, ...next });
          sent.add(next.key);
        } catch (error) {
          if (!(error instanceof ChatRefusal)) throw error;
          // Sent again, it would be refused again.
          problem = error.message;
          keepDrafts(drafts.filter(({ key }) => key !== next.key));
        }
      }
    } catch (error) {
      if (network.isOn) console.warn(error);
    } finally {
      isSending = false;
    }
  }

  /** Asks at once for the view of a group that the user has just joined. By itself, the client asks for it only after seconds. */
  function askForView(ofGroup: string): void {
    if (asked.has(ofGroup)) return;
    asked.add(ofGroup);
    tidemark.subscribe(() => undefined, { groupId: ofGroup });
  }

  function receive(frame: FeedFrame): void {
    if ('problem' in frame) {
      problem = frame.problem;
      changed();
      return;
    }
    problem = null;
    const wasMember = isMember();
    members = frame.members;
    if (!wasMember && isMember()) askForView(groupId);
    if (frame.isRestored) tidemark.refresh(groupId);
    const known = new Set(messages.map(({ messageId }) => messageId));
    const added = frame.messages.filter(({ messageId }) => !known.has(messageId));
    messages = [...messages, ...added];
    for (const { messageId, senderId, text, threadOf } of added) {
      const channel = threadOf === undefined ? chat : device.thread(threadOf);
      if (threadOf !== undefined) askForView(channel.groupId);
      tidemark.noteMessage(channel.groupId, messageId, { senderId, mentions: mentionsIn(text) });
    }
    const own = new Set(messages.filter(({ senderId }) => senderId === userId).map(({ key }) => key));
    const left = drafts.filter(({ key }) => !own.has(key));
    markDeliveredSoon();
    if (left.length < drafts.length) keepDrafts(left);
    else changed();
  }

  /** Marks what the device has received as delivered, whether anybody has looked at it or not. */
  function markDeliveredSoon(): void {
    clearTimeout(deliveredTimer);
    deliveredTimer = setTimeout(async () => {
      const marks = [chat, ...threads.values()].flatMap((channel) => {
        const newest = channel.messages.findLast(({ senderId }) => senderId !== userId);
        if (!newest || newest.messageId === deliveredUpTo.get(channel.groupId)) return [];
        return [{ groupId: channel.groupId, messageId: newest.messageId, delivered: true }];
      });
      if (marks.length === 0) return;
      try {
        // A batch takes a hundred marks; the next frame brings the rest.
        const { results } = await tidemark.api.markGroups({ marks: marks.slice(0, 100) });
        for (const { groupId: marked, outcome } of results) {
          const mark = marks.find((one) => one.groupId === marked);
          if (mark && outcome !== 'failed') deliveredUpTo.set(marked, mark.messageId);
        }
      } catch (error) {
        // The next frame of the feed tries again, and each connect brings one.
        if (network.isOn) console.warn(error);
      }
    }, DELIVERED_AFTER_MS);
  }

  let failures = 0;
  let retryTimer: number | undefined;
  let isConnecting = false;

  function connect(): void {
    clearTimeout(retryTimer);
    if (isConnecting || !network.isOn) return;
    isConnecting = true;
    const query = new URLSearchParams({
      group: groupId,
      user: userId,
      after: messages.at(-1)?.messageId ?? '0',
    });
    const socket = new network.WebSocket(`${ws}/_local/chat/feed?${query}`, []);
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      failures = 0;
      receive(JSON.parse(data) as FeedFrame);
      void sendDrafts();
    };
    socket.onclose = () => {
      isConnecting = false;
      const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
      failures += 1;
      retryTimer = setTimeout(connect, pauseMs * (0.5 + Math.random() / 2));
    };
  }

  network.onSwitch(() => {
    failures = 0;
    if (network.isOn) connect();
    changed();
  });
  connect();
  return device;
}
