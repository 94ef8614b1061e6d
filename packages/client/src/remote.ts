// Access to the service: requests over HTTP, and the change feed over a WebSocket. It knows nothing of the local state.

import { createClient } from 'graphql-ws';
import { FEED } from './documents.js';
import type { FeedSubscription, UserErrorCode } from './generated.js';
import type { Tokens } from './session.js';

/** A failed request. */
export class RequestFailed extends Error {
  /** `extensions.code` of the service's error, or `NETWORK` if it is unknown whether the request succeeded. */
  readonly code: string;
  /** The minimum time before a retry. */
  readonly retryAfterMs: number;

  constructor(code: string, message: string, retryAfterMs = 0) {
    super(`${code}: ${message}`);
    this.name = 'RequestFailed';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An error in an input. */
export interface UserError {
  /** A code of `UserErrorCode`, or `extensions.code` of an error that a retry cannot fix. */
  readonly code: UserErrorCode | (string & {});
  /** The path of the argument, for example `["input", "title"]`. */
  readonly field: readonly string[] | null;
  /** An English message for developers. */
  readonly message: string;
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
): Promise<T> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers['authorization'] = `Bearer ${token}`;
  let response: { data?: T; errors?: RequestError[] };
  try {
    const body = JSON.stringify({ query, variables });
    response = (await (await fetch(url, { method: 'POST', headers, body, signal })).json()) as typeof response;
  } catch (error) {
    throw new RequestFailed('NETWORK', String(error));
  }
  if (!response.data || response.errors?.length) throw failureOf(response.errors?.[0]);
  return response.data;
}

/** A change of the feed. */
export type Change = FeedSubscription['changes'];

/** How the service is reached. */
export interface RemoteOptions {
  /** `https://…/graphql` */
  url: string;
  /** The source of access tokens: a {@link Session}, or your own for an external identity provider. */
  tokens: Tokens;
  /** The WebSocket class, for runtimes without a global one: in Node 20, the one of `ws`. */
  webSocket?: unknown;
  /** How long to wait for a response before the connection counts as lost (default 10,000). */
  timeoutMs?: number;
}

export class Remote {
  private readonly options: RemoteOptions;
  private readonly timeoutMs: number;

  constructor(options: RemoteOptions) {
    this.options = options;
    this.timeoutMs = options.timeoutMs ?? 10_000;
  }

  /** Sends a query or mutation. Repeats it once with a new token if the service rejects the current one. */
  async call<T>(query: string, variables: object, stop: AbortSignal): Promise<T> {
    const { url, tokens } = this.options;
    const once = async (token: string) => {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(this.timeoutMs)]);
      return post<T>(url, token, query, variables, signal);
    };
    const token = await tokens.accessToken();
    try {
      return await once(token);
    } catch (error) {
      if (!(error instanceof RequestFailed && error.code === 'UNAUTHENTICATED')) throw error;
      return once(await tokens.renew(token));
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
      if ((error as CloseEvent).code === 4403) await tokens.renew(token);
      throw error;
    } finally {
      clearInterval(heartbeat);
      stop.removeEventListener('abort', end);
      client.terminate();
    }
  }
}
