import { createTidemark, type Tidemark, type Tracker, type View } from 'tidemark-client';
import { createReading } from 'tidemark-client/reading';
import { createNetwork, type Network } from './network.ts';

export interface Message {
  readonly messageId: string;
  readonly senderId: string;
  readonly text: string;
  readonly sentAt: string;
  readonly key: string;
}

export interface Member {
  readonly userId: string;
  /** The newest message before the member joined; null for a member from the start. */
  readonly joinedAfter: string | null;
}

/** A message that the chat has not delivered yet. */
export interface Draft {
  readonly key: string;
  readonly text: string;
}

type FeedFrame =
  | { readonly members: readonly Member[]; readonly messages: readonly Message[] }
  | { readonly problem: string };

/** One device of one person: a network of its own, a client of Tidemark, and the chat's messages. */
export interface Device {
  readonly userId: string;
  readonly groupId: string;
  readonly network: Network;
  readonly tidemark: Tidemark;
  readonly tracker: Tracker;
  /** Whether what is read from now on is read privately. */
  isPrivate: boolean;
  readonly members: readonly Member[];
  readonly messages: readonly Message[];
  readonly drafts: readonly Draft[];
  /** Why the chat does not work; null if it does. */
  readonly problem: string | null;
  /** The own view of the group; null until it is known. */
  view(): View | null;
  send(text: string): void;
  join(): Promise<void>;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2_000;
/** Messages that arrive together are marked delivered together. */
const DELIVERED_AFTER_MS = 300;

/**
 * @param wsPath the path of the WebSocket API; undefined if the stack has none
 * @param changed called after each change, but for those that the client reports
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
  let deliveredUpTo = 0n;
  let deliveredTimer: number | undefined;

  /** Calls a route of the local chat. Throws an error if it refuses, or if there is no network. */
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
    if (!response.ok) throw new Error(text);
    return JSON.parse(text) as T;
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
  const tracker = tidemark.tracker(groupId);

  const device: Device = {
    ...{ userId, groupId, network, tidemark, tracker, isPrivate: false },
    get members() {
      return members;
    },
    get messages() {
      return messages;
    },
    get drafts() {
      return drafts;
    },
    get problem() {
      return problem;
    },
    view: () => tidemark.getSnapshot().views.get(groupId) ?? null,
    send(text) {
      keepDrafts([...drafts, { key: crypto.randomUUID(), text }]);
      void sendDrafts();
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
        await post('messages', { groupId, senderId: userId, ...next });
        sent.add(next.key);
      }
    } catch (error) {
      if (network.isOn) console.warn(error);
    } finally {
      isSending = false;
    }
  }

  const isMember = () => members.some((member) => member.userId === userId);

  function receive(frame: FeedFrame): void {
    if ('problem' in frame) {
      problem = frame.problem;
      changed();
      return;
    }
    problem = null;
    const wasMember = isMember();
    members = frame.members;
    // The view of a group that the user has just joined is asked for at once; otherwise it comes only after seconds.
    if (!wasMember && isMember()) tidemark.subscribe(() => undefined, { groupId });
    const known = new Set(messages.map(({ messageId }) => messageId));
    const added = frame.messages.filter(({ messageId }) => !known.has(messageId));
    messages = [...messages, ...added];
    for (const { messageId, senderId } of added) tidemark.noteMessage(groupId, messageId, { senderId });
    const own = new Set(messages.filter(({ senderId }) => senderId === userId).map(({ key }) => key));
    const left = drafts.filter(({ key }) => !own.has(key));
    markDeliveredSoon();
    if (left.length < drafts.length) keepDrafts(left);
    else changed();
  }

  /** The device has received these messages, also where nobody has looked at them. */
  function markDeliveredSoon(): void {
    clearTimeout(deliveredTimer);
    deliveredTimer = setTimeout(async () => {
      const newest = messages.findLast(({ senderId }) => senderId !== userId);
      if (!newest || BigInt(newest.messageId) <= deliveredUpTo) return;
      try {
        await tidemark.api.markDelivered({ groupId, messageId: newest.messageId });
        deliveredUpTo = BigInt(newest.messageId);
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
