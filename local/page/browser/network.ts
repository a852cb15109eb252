import type { ApiOptions, TidemarkOptions } from 'tidemark-client';

type Fetch = NonNullable<ApiOptions['fetch']>;
type WebSocketConstructor = NonNullable<TidemarkOptions['WebSocket']>;
type Socket = InstanceType<WebSocketConstructor>;

export interface Network {
  readonly isOn: boolean;
  switchTo(isOn: boolean): void;
  /** Calls the listener after each switch. */
  onSwitch(listener: () => void): void;
  readonly fetch: Fetch;
  readonly WebSocket: WebSocketConstructor;
}

/** The network of one person. A browser can only switch off the network of a whole page; here each person has a switch. */
export function createNetwork(): Network {
  let isOn = true;
  let cut = new AbortController();
  const sockets = new Set<WebSocket>();
  const listeners = new Set<() => void>();

  /** Used with `new`, which returns what the function returns. */
  function NetworkSocket(url: string, protocols: string[]): Socket {
    if (!isOn) return unreachable();
    const socket = new WebSocket(url, protocols);
    sockets.add(socket);
    socket.addEventListener('close', () => sockets.delete(socket));
    return socket;
  }

  return {
    get isOn() {
      return isOn;
    },

    switchTo(to) {
      if (to === isOn) return;
      isOn = to;
      if (isOn) {
        cut = new AbortController();
      } else {
        cut.abort(new TypeError('The network was cut.'));
        for (const socket of sockets) disconnect(socket);
        sockets.clear();
      }
      for (const listener of listeners) listener();
      // A browser reports it when its own network is back, and clients then connect at once.
      if (isOn) window.dispatchEvent(new Event('online'));
    },

    onSwitch(listener) {
      listeners.add(listener);
    },

    async fetch(url, init) {
      if (!isOn) throw new TypeError('There is no network.');
      return fetch(url, { ...init, signal: AbortSignal.any([init.signal, cut.signal]) });
    },

    WebSocket: NetworkSocket as unknown as WebSocketConstructor,
  };
}

/** Ends a socket without waiting for the server: nothing arrives any more. */
function disconnect(socket: WebSocket): void {
  const { onclose } = socket;
  socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
  socket.close();
  onclose?.call(socket, new CloseEvent('close', { code: 1006 }));
}

/** A socket that never opens. */
function unreachable(): Socket {
  const socket: Socket = {
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
    send: () => undefined,
    close: () => undefined,
  };
  setTimeout(() => socket.onclose?.(new CloseEvent('close', { code: 1006 }) as never), 0);
  return socket;
}
