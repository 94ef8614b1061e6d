// Typed requests to SnapNote. Only the Next server sends them, so the browser needs neither its address nor a token.

import 'server-only';
import type { TypedDocumentString } from '@/gql/graphql';

const SERVICE = process.env['SNAPNOTE_URL'] ?? 'http://127.0.0.1:8080';
const TIMEOUT_MS = 15_000;

/** Why a request failed: a code of docs/errors.md, and when to try again. */
export interface Failure {
  code: string;
  retryAfterMs: number | null;
}

export class RequestFailed extends Error implements Failure {
  constructor(
    readonly code: string,
    message: string,
    readonly retryAfterMs: number | null = null,
  ) {
    super(`${code}: ${message}`);
  }
}

/** On whose behalf a request is sent. */
export interface Caller {
  token?: string | undefined;
  /** The header fields of the browser's request. */
  headers: Headers;
}

/**
 * The header fields that SnapNote gets from the browser's request: the addresses on its way, for the rate limits and the list of sessions,
 * and the name of the browser.
 */
function headersFor({ token, headers }: Caller): Headers {
  const sent = new Headers({ 'content-type': 'application/json', accept: 'application/graphql-response+json' });
  if (token) sent.set('authorization', `Bearer ${token}`);
  for (const name of ['x-forwarded-for', 'user-agent']) {
    const value = headers.get(name);
    if (value) sent.set(name, value);
  }
  return sent;
}

interface GraphQLResponse<R> {
  data?: R | null;
  errors?: { message: string; extensions?: { code?: string; retryAfterMs?: number } }[];
}

/** @throws {@link RequestFailed} if the response has errors, or if no response arrives. */
export async function send<R, V>(document: TypedDocumentString<R, V>, variables: V, caller: Caller): Promise<R> {
  const body = JSON.stringify({ query: document.toString(), variables });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const request = { method: 'POST', headers: headersFor(caller), body, signal, cache: 'no-store' } as const;
  const { data, errors } = await fetch(`${SERVICE}/graphql`, request)
    .then((response) => response.json() as Promise<GraphQLResponse<R>>)
    .catch((error: unknown) => {
      throw new RequestFailed('UNAVAILABLE', String(error));
    });
  const [error] = errors ?? [];
  if (error) throw new RequestFailed(error.extensions?.code ?? 'INTERNAL', error.message, error.extensions?.retryAfterMs);
  if (!data) throw new RequestFailed('INTERNAL', 'The response has no data.');
  return data;
}
