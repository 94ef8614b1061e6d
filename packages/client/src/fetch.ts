// `fetch` with the tokens of a session, for other GraphQL clients.

import type { Tokens } from './session.js';

/** The longest time of `Retry-After` after which a request is repeated. */
const MAXIMUM_WAIT_MS = 30_000;
const MAXIMUM_ATTEMPTS = 4;

/**
 * A `fetch` for Apollo Client, urql and other GraphQL clients. It adds a valid access token to each request. If the service does not accept
 * the token (401), it gets a new one and repeats the request once. It repeats a request after a rate limit (429), and if the service is
 * unavailable (503), after the time in `Retry-After`: up to 3 times, and not if the time exceeds 30 seconds. After a 503, a mutation may
 * have been executed, so give each create an `id`.
 *
 * @example
 * new HttpLink({ uri: url, fetch: authorizedFetch(session) }) // Apollo Client
 * new Client({ url, fetch: authorizedFetch(session), exchanges, preferGetMethod: false }) // urql
 */
export function authorizedFetch(tokens: Tokens): typeof fetch {
  return async (input, init) => {
    let token = await tokens.accessToken();
    for (let [attempt, isRenewed] = [1, false]; ; attempt += 1) {
      const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
      headers.set('authorization', `Bearer ${token}`);
      const response = await fetch(input instanceof Request ? input.clone() : input, { ...init, headers });
      const wait = Number(response.headers.get('retry-after') ?? Number.NaN) * 1000;
      const isBusy = response.status === 429 || response.status === 503;
      if (response.status === 401 && !isRenewed) {
        token = await tokens.renew(token);
        isRenewed = true;
      } else if (isBusy && wait <= MAXIMUM_WAIT_MS && attempt < MAXIMUM_ATTEMPTS) {
        await pause(wait, init?.signal);
      } else return response;
      await response.body?.cancel();
    }
  };
}

async function pause(milliseconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
