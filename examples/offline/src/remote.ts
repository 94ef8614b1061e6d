// Access to the service: requests over HTTP, and the change feed over a WebSocket. It knows nothing of the local state.

import { createClient } from 'graphql-ws';
import { ITEM, type ItemPayload } from './items.js';
import type { Tokens } from './session.js';

/** A failed request. `code` is the service's, or NETWORK if it is unknown whether the request succeeded. */
export class RequestFailed extends Error {
  constructor(readonly code: string, message: string, readonly retryAfterMs = 0) {
    super(`${code}: ${message}`);
  }
}

interface RequestError {
  message: string;
  extensions?: { code?: string; retryAfterMs?: number };
}

function failureOf(error: RequestError | undefined): RequestFailed {
  const { code = 'INTERNAL', retryAfterMs } = error?.extensions ?? {};
  return new RequestFailed(code, error?.message ?? 'The response is invalid.', retryAfterMs);
}

/** Sends one request. Throws `RequestFailed` if the response has errors or does not arrive. */
export async function post<T>(
  url: string,
  token: string | null,
  query: string,
  variables: object,
  signal = AbortSignal.timeout(10_000),
): Promise<{ data: T }> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers['authorization'] = `Bearer ${token}`;
  let response: { data?: T; errors?: RequestError[] };
  try {
    const body = JSON.stringify({ query, variables });
    response = await (await fetch(url, { method: 'POST', headers, body, signal })).json();
  } catch (error) {
    throw new RequestFailed('NETWORK', String(error));
  }
  if (!response.data || response.errors?.length) throw failureOf(response.errors?.[0]);
  return { data: response.data };
}

/** A change of the feed. */
export interface Change {
  cursor: string;
  action: string;
  itemId: string;
  /** The item's version after this change. */
  version: number;
  /** The current item, which may be newer than the change. Null if it was deleted. */
  item: ItemPayload | null;
}

const FEED = `subscription($after: String) {
  changes(after: $after) { cursor action itemId version item { ...Item } }
} ${ITEM}`;

export interface RemoteOptions {
  /** `https://…/graphql` */
  url: string;
  tokens: Tokens;
  /** The WebSocket class, for runtimes without a global one: in Node 20, the one of `ws`. */
  webSocket?: unknown;
  /** How long to wait for a response before the connection counts as lost (default 10,000). */
  timeoutMs?: number;
}

export class Remote {
  private readonly timeoutMs: number;

  constructor(private readonly options: RemoteOptions) {
    this.timeoutMs = options.timeoutMs ?? 10_000;
  }

  /** Sends a query or mutation. Repeats it once with a new token if the service rejects the current one. */
  async call<T>(query: string, variables: object, stop: AbortSignal): Promise<T> {
    const { url, tokens } = this.options;
    const once = async (token: string) => {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(this.timeoutMs)]);
      return (await post<T>(url, token, query, variables, signal)).data;
    };
    try {
      return await once(await tokens.accessToken());
    } catch (error) {
      if (!(error instanceof RequestFailed && error.code === 'UNAUTHENTICATED')) throw error;
      return await once(await tokens.renew());
    }
  }

  /** Reads a page of up to 100 items after a cursor. If the response would be too large, reads a smaller page. */
  async page<T>(query: string, after: string | null, stop: AbortSignal): Promise<T> {
    for (let first = 100; ; first = Math.floor(first / 2)) {
      try {
        return await this.call<T>(query, { first, after }, stop);
      } catch (error) {
        const isTooLarge = error instanceof RequestFailed && error.code === 'RESPONSE_TOO_LARGE';
        if (!isTooLarge || first === 1) throw error;
      }
    }
  }

  /** Receives every change after a cursor, then new changes as they happen. Ends only with an error or by `stop`. */
  async subscribe(after: string, receive: (change: Change) => Promise<void>, stop: AbortSignal): Promise<void> {
    const { url, tokens, webSocket } = this.options;
    let socket: WebSocket | undefined;
    let token = await tokens.accessToken();
    let ponged = true;
    const client = createClient({
      url: url.replace(/^http/, 'ws'),
      webSocketImpl: webSocket,
      connectionParams: { Authorization: `Bearer ${token}` },
      retryAttempts: 0, // The caller reconnects, because it must read missed changes first.
      on: { opened: (opened) => (socket = opened as WebSocket), pong: () => (ponged = true) },
    });
    // Each ping detects a lost connection and, if there is a new token, replaces the old one in band.
    const heartbeat = setInterval(async () => {
      if (!ponged || socket?.readyState !== 1) return client.terminate();
      ponged = false;
      const newest = await tokens.accessToken().catch(() => token);
      const payload = newest === token ? undefined : { Authorization: `Bearer ${newest}` };
      token = newest;
      if (socket.readyState === 1) socket.send(JSON.stringify({ type: 'ping', payload }));
    }, this.timeoutMs);
    const end = () => client.terminate();
    stop.addEventListener('abort', end);
    try {
      stop.throwIfAborted();
      const feed = client.iterate<{ changes: Change }>({ query: FEED, variables: { after } });
      for await (const { data, errors } of feed) {
        if (!data || errors?.length) throw failureOf(errors?.[0] as RequestError | undefined);
        await receive(data.changes);
      }
      throw new RequestFailed('NETWORK', 'The feed has ended.');
    } catch (error) {
      if (Array.isArray(error)) throw failureOf(error[0]);
      if ((error as CloseEvent).code === 4403) await tokens.renew();
      throw error;
    } finally {
      clearInterval(heartbeat);
      stop.removeEventListener('abort', end);
      client.terminate();
    }
  }
}
