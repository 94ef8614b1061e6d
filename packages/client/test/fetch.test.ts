// Other GraphQL clients with the tokens of a session.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { authorizedFetch } from '../src/fetch.js';
import { url } from './device.js';

/** Answers requests with these statuses, then 200. Records the tokens. */
function service(...responses: { status: number; retryAfter?: string }[]): string[] {
  const seen: string[] = [];
  globalThis.fetch = async (_, init) => {
    seen.push(new Headers(init?.headers).get('authorization') ?? 'none');
    const { status, retryAfter } = responses.shift() ?? { status: 200 };
    const body = status === 200 ? { data: { me: { __typename: 'User', id: 'u' } } } : { errors: [{ message: `${status}` }] };
    return Response.json(body, { status, headers: retryAfter ? { 'retry-after': retryAfter } : {} });
  };
  return seen;
}

const tokens = () => {
  let current = 1;
  return { accessToken: async () => `t${current}`, renew: async (rejected: string) => (assert.equal(rejected, `t${current}`), `t${(current += 1)}`) };
};
const ME = '{ me { __typename id } }';

test('a token that is not accepted is renewed once', async () => {
  const seen = service({ status: 401 });
  assert.equal((await authorizedFetch(tokens())(url)).status, 200);
  assert.deepEqual(seen, ['Bearer t1', 'Bearer t2']);
  const again = service({ status: 401 }, { status: 401 });
  assert.equal((await authorizedFetch(tokens())(url)).status, 401);
  assert.equal(again.length, 2);
});

test('a request to a busy service is repeated after its Retry-After', async () => {
  const seen = service({ status: 429, retryAfter: '0' }, { status: 503, retryAfter: '0.01' });
  assert.equal((await authorizedFetch(tokens())(url)).status, 200);
  assert.equal(seen.length, 3);
  for (const responses of [[{ status: 503 }], [{ status: 429, retryAfter: '31' }], [{ status: 504, retryAfter: '0' }]]) {
    assert.equal(service(...responses).length, 0);
    assert.notEqual((await authorizedFetch(tokens())(url)).status, 200);
  }
  service(...Array.from({ length: 9 }, () => ({ status: 429, retryAfter: '0' })));
  assert.equal((await authorizedFetch(tokens())(url)).status, 429);
});

test('a wait ends with its signal', async () => {
  service({ status: 429, retryAfter: '20' });
  const stop = new AbortController();
  const response = authorizedFetch(tokens())(url, { signal: stop.signal });
  setTimeout(() => stop.abort(new Error('stopped')), 10);
  await assert.rejects(response, /stopped/);
});

test('Apollo Client and urql use it', async () => {
  service({ status: 401 });
  const link = new HttpLink({ uri: url, fetch: authorizedFetch(tokens()) });
  const apollo = new ApolloClient({ link, cache: new InMemoryCache() });
  const { data } = await apollo.query<{ me: { id: string } }>({ query: gql(ME) });
  assert.equal(data?.me.id, 'u');
  apollo.stop();
  service({ status: 429, retryAfter: '0' });
  const urql = new Client({ url, fetch: authorizedFetch(tokens()), exchanges: [fetchExchange], preferGetMethod: false });
  assert.deepEqual((await urql.query(ME, {}).toPromise()).data, { me: { __typename: 'User', id: 'u' } });
});
