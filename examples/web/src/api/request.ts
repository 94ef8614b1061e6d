// Typed requests for everything that is not an offline item. Items are in the client package.

import { RequestFailed, type OfflineClient } from '@snapnote/client';
import { useClient } from '@snapnote/client/react';
import { useCallback, useEffect, useState } from 'react';
import { graphqlUrl } from '../config.ts';
import type { TypedDocumentString } from '../gql/graphql.ts';

type Document<R, V> = TypedDocumentString<R, V>;

/** Sends a request as the signed-in user. */
export function send<R, V extends object>(client: OfflineClient, document: Document<R, V>, variables: V): Promise<R> {
  return client.request<R>(document.toString(), variables);
}

/** Sends a request with a token of its own, or as an anonymous user. */
export async function sendWith<R, V extends object>(token: string | null, document: Document<R, V>, variables: V): Promise<R> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers['authorization'] = `Bearer ${token}`;
  const body = JSON.stringify({ query: document.toString(), variables });
  const response = await fetch(graphqlUrl, { method: 'POST', headers, body }).catch((error: unknown) => {
    throw new RequestFailed('NETWORK', String(error));
  });
  const { data, errors } = (await response.json()) as { data?: R; errors?: { message: string; extensions?: { code?: string } }[] };
  if (!data || errors?.length) throw new RequestFailed(errors?.[0]?.extensions?.code ?? 'INTERNAL', errors?.[0]?.message ?? 'No response.');
  return data;
}

/** What a user can read about a failure. */
export function describe(error: unknown): string {
  if (!(error instanceof RequestFailed)) return 'Something went wrong. Try again.';
  if (error.code === 'NETWORK') return 'The service cannot be reached. Check your connection.';
  return error.message.replace(/^[A-Z_]+: /, '');
}

interface Request<R> {
  data: R | undefined;
  error: string | undefined;
  isLoading: boolean;
  reload: () => void;
}

/** The response to a query. It is requested again when the variables or `version` change. Null variables request nothing. */
export function useRequest<R, V extends object>(document: Document<R, V>, variables: V | null, version: unknown = null): Request<R> {
  const client = useClient();
  const [state, setState] = useState<{ key?: string; data?: R; error?: string }>({});
  const [round, setRound] = useState(0);
  const key = JSON.stringify([variables, version, round]);
  useEffect(() => {
    const [wanted] = JSON.parse(key) as [V | null];
    if (!wanted) return;
    const stop = new AbortController();
    client.request<R>(document.toString(), wanted, stop.signal).then(
      (data) => stop.signal.aborted || setState({ key, data }),
      (error: unknown) => stop.signal.aborted || setState({ key, error: describe(error) }),
    );
    return () => stop.abort();
  }, [client, document, key]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  return { data: state.data, error: state.error, isLoading: variables !== null && state.key !== key, reload };
}
