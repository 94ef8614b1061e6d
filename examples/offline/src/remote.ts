// The service: requests over HTTP, and the feed over a WebSocket. Nothing here knows what is kept.

import { createClient } from 'graphql-ws';
import { ITEM, type Answered } from './items.js';
import type { Tokens } from './session.js';

/** Why something did not come about: a code of the service, or NETWORK: nobody knows whether it was done. */
export class Failed extends Error {
  constructor(readonly code: string, message: string, readonly retryAfterMs = 0) {
    super(`${code}: ${message}`);
  }
}

interface RequestError {
  message: string;
  extensions?: { code?: string; retryAfterMs?: number };
}

function failed(error: RequestError | undefined): Failed {
  const { code = 'INTERNAL', retryAfterMs } = error?.extensions ?? {};
  return new Failed(code, error?.message ?? 'The answer is none.', retryAfterMs);
}

/** One request. Throws `Failed` unless all of it was answered. */
export async function post<T>(
  url: string,
  token: string | null,
  query: string,
  variables: object,
  signal = AbortSignal.timeout(10_000),
): Promise<{ data: T }> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers['authorization'] = `Bearer ${token}`;
  let answer: { data?: T; errors?: RequestError[] };
  try {
    const body = JSON.stringify({ query, variables });
    answer = await (await fetch(url, { method: 'POST', headers, body, signal })).json();
  } catch (error) {
    throw new Failed('NETWORK', String(error));
  }
  if (!answer.data || answer.errors?.length) throw failed(answer.errors?.[0]);
  return { data: answer.data };
}

/** A change of the feed. */
export interface Change {
  cursor: string;
  action: string;
  itemId: string;
  /** The version that the item has since this change. */
  version: number;
  /** As it is now, which may be newer; null: it is gone. */
  item: Answered | null;
}

const FEED = `subscription($after: String) {
  changes(after: $after) { cursor action itemId version item { ...Item } }
} ${ITEM}`;

export interface RemoteOptions {
  /** `https://…/graphql` */
  url: string;
  tokens: Tokens;
  /** Where there is no global one, as in Node 20: that of `ws`. */
  webSocket?: unknown;
  /** After so long without an answer the line counts as dead. */
  patienceMs?: number;
}

export class Remote {
  private readonly patience: number;

  constructor(private readonly options: RemoteOptions) {
    this.patience = options.patienceMs ?? 10_000;
  }

  /** A query or a mutation; with a new token once, if the service does not take the one that is here. */
  async call<T>(query: string, variables: object, stop: AbortSignal): Promise<T> {
    const { url, tokens } = this.options;
    const once = async (token: string) => {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(this.patience)]);
      return (await post<T>(url, token, query, variables, signal)).data;
    };
    try {
      return await once(await tokens.accessToken());
    } catch (error) {
      if (!(error instanceof Failed && error.code === 'UNAUTHENTICATED')) throw error;
      return await once(await tokens.renew());
    }
  }

  /** Every change behind a cursor, and then every change as it happens. It ends only by an error, or by `stop`. */
  async listen(after: string, hear: (change: Change) => Promise<void>, stop: AbortSignal): Promise<void> {
    const { url, tokens, webSocket } = this.options;
    let socket: WebSocket | undefined;
    let token = await tokens.accessToken();
    let answered = true;
    const client = createClient({
      url: url.replace(/^http/, 'ws'),
      webSocketImpl: webSocket,
      connectionParams: { Authorization: `Bearer ${token}` },
      retryAttempts: 0, // Who comes back reads what was missed first, so that is the caller's.
      on: { opened: (opened) => (socket = opened as WebSocket), pong: () => (answered = true) },
    });
    // One ping serves two ends: a line that is dead is noticed, and a new token takes the old one's place in band.
    const beat = setInterval(async () => {
      if (!answered || socket?.readyState !== 1) return client.terminate();
      answered = false;
      const newest = await tokens.accessToken().catch(() => token);
      const payload = newest === token ? undefined : { Authorization: `Bearer ${newest}` };
      token = newest;
      if (socket.readyState === 1) socket.send(JSON.stringify({ type: 'ping', payload }));
    }, this.patience);
    const end = () => client.terminate();
    stop.addEventListener('abort', end);
    try {
      stop.throwIfAborted();
      const feed = client.iterate<{ changes: Change }>({ query: FEED, variables: { after } });
      for await (const { data, errors } of feed) {
        if (!data || errors?.length) throw failed(errors?.[0] as RequestError | undefined);
        await hear(data.changes);
      }
      throw new Failed('NETWORK', 'The feed has ended.');
    } catch (error) {
      if (Array.isArray(error)) throw failed(error[0]);
      if ([4401, 4403].includes((error as CloseEvent).code)) await tokens.renew();
      throw error;
    } finally {
      clearInterval(beat);
      stop.removeEventListener('abort', end);
      client.terminate();
    }
  }
}
