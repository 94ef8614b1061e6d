// Builds the manifests anew, and executes their documents with each client, by id. Prints whether the manifests are those in `manifests`,
// then for each client the names of the courses and the new name of the user. Arguments: URL, ACCESS TOKEN.
import { readFileSync } from 'node:fs';
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists';
import { Client, fetchExchange } from '@urql/core';
import relay from 'relay-runtime';
import { COURSES, RENAME } from './apollo/app.js';
import { build, built, manifests } from './build.mjs';

// In development, urql rejects documents without definitions.
process.env.NODE_ENV = 'production';
const [url, token] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const parsed = (file) => JSON.parse(readFileSync(file, 'utf8'));
const print = (value) => console.log(JSON.stringify(value));
const first = { first: 5 };
const input = (name) => ({ input: { name } });

build();
const isSame = (name) => {
  const saved = parsed(new URL(`manifests/${name}`, import.meta.url));
  return JSON.stringify(saved) === JSON.stringify(parsed(built(name)));
};
print({ same: manifests.filter(isSame) });

// graphql-codegen: urql sends `documentId` for documents without definitions.
{
  const entries = Object.entries(parsed(built('codegen.json')));
  const [courses, rename] = ['query Courses', 'mutation Rename'].map((start) => {
    const [documentId] = entries.find(([, text]) => text.includes(start));
    return { kind: 'Document', definitions: [], documentId };
  });
  const client = new Client({
    url,
    exchanges: [fetchExchange],
    fetchOptions: { headers },
    preferGetMethod: false,
  });
  const found = await client.query(courses, first).toPromise();
  const renamed = await client.mutation(rename, input('urql')).toPromise();
  print({
    client: 'urql',
    error: (found.error ?? renamed.error)?.message,
    courses: found.data?.courses.nodes.map(({ name }) => name),
    name: renamed.data?.updateMe.user.name,
  });
}

// Relay: the network layer of an application sends the id as `doc_id`, as Relay's guide shows.
{
  const { Environment, Network, RecordSource, Store, commitMutation, fetchQuery } = relay;
  const send = async ({ id }, variables) => {
    const body = JSON.stringify({ doc_id: id, variables });
    return (await fetch(url, { method: 'POST', headers, body })).json();
  };
  const environment = new Environment({
    network: Network.create(send),
    store: new Store(new RecordSource()),
  });
  const artifact = async (name) => (await import(built(`relay/${name}.graphql.js`))).default;
  const query = await artifact('appCoursesQuery');
  await fetchQuery(environment, query, first).toPromise();
  const source = environment.getStore().getSource().toJSON();
  const mutation = await artifact('appRenameMutation');
  const renamed = await new Promise((onCompleted, onError) =>
    commitMutation(environment, { mutation, variables: input('relay'), onCompleted, onError }),
  );
  const courses = Object.values(source).filter(({ __typename }) => __typename === 'Course');
  print({
    client: 'relay',
    courses: courses.map(({ name }) => name),
    name: renamed.updateMe.user.name,
  });
}

// Apollo Client: the id as `extensions.persistedQuery.sha256Hash`, queries by POST and by GET.
for (const useGETForHashedQueries of [false, true]) {
  const requests = [];
  const ids = generatePersistedQueryIdsFromManifest({
    loadManifest: async () => parsed(built('apollo.json')),
  });
  const http = new HttpLink({
    uri: url,
    headers,
    fetch: (uri, options) => (requests.push(`${options.method} ${options.body ?? ''}`), fetch(uri, options)),
  });
  const link = new PersistedQueryLink({ ...ids, useGETForHashedQueries }).concat(http);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const found = await client.query({ query: COURSES, variables: first });
  const renamed = await client.mutate({ mutation: RENAME, variables: input('apollo') });
  print({
    client: 'apollo',
    courses: found.data.courses.nodes.map(({ name }) => name),
    name: renamed.data.updateMe.user.name,
    requests: requests.map((request) => request.split(' ')[0]),
    texts: requests.filter((request) => request.includes('"query":')).length,
  });
}
