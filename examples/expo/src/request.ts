// Typed requests with the tokens of a session. Expired tokens are renewed, and requests are repeated after the statuses 429 and 503.

import { RequestFailed, authorizedFetch, type Session } from '@snapnote/client';
import type { TypedDocumentString } from './gql/graphql.ts';

const TIMEOUT_MS = 30_000;

interface GraphQLResponse<R> {
  data?: R | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

export type Request = <R, V>(document: TypedDocumentString<R, V>, variables: V) => Promise<R>;

/** Requests throw `RequestFailed`, with a code of docs/errors.md or `NETWORK`. */
export function requestsOf(session: Session, url: string): Request {
  const send = authorizedFetch(session);
  return async function request<R, V>(document: TypedDocumentString<R, V>, variables: V): Promise<R> {
    const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
    const body = JSON.stringify({ query: document.toString(), variables });
    const { data, errors } = await send(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) })
      .then((response) => response.json() as Promise<GraphQLResponse<R>>)
      .catch((error: unknown) => {
        throw error instanceof RequestFailed ? error : new RequestFailed('NETWORK', String(error));
      });
    if (!data || errors?.length) throw new RequestFailed(errors?.[0]?.extensions?.code ?? 'INTERNAL', errors?.[0]?.message ?? 'No data.');
    return data;
  };
}
