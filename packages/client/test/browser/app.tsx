// A list of tasks in a browser, through the adapter that the address names. `window.app` has its actions for the test.

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { ApolloProvider, useQuery as useApolloQuery } from '@apollo/client/react';
import { createCollection } from '@tanstack/db';
import { useLiveQuery } from '@tanstack/react-db';
import { cacheExchange } from '@urql/exchange-graphcache';
import { createRoot } from 'react-dom/client';
import { Client, fetchExchange, Provider, useQuery } from 'urql';
import { defaultOptions, followChanges, snapnoteLink, typePolicies } from '../../src/apollo.js';
import { authorizedFetch, IndexedDbSessionStore, IndexedDbStore, OfflineClient, Session } from '../../src/index.js';
import { SnapNoteProvider, useItems, useSyncState } from '../../src/react.js';
import { newRow, snapnoteCollectionOptions } from '../../src/tanstack-db.js';
import { graphcacheConfig, snapnoteExchange } from '../../src/urql.js';

const parameter = (name: string) => new URLSearchParams(location.search).get(name) ?? '';
const url = parameter('url');
const run = parameter('run');

// Long, because a machine may be busy.
const timeoutMs = 20_000;
// A busy service needs time to check passwords.
const session = new Session({ url, store: new IndexedDbSessionStore(`session-${run}`), timeoutMs: 60_000 });
const credentials = { email: parameter('email'), password: 'correct horse' };
if ((await session.userId()) === null) for (const error of await session.signIn(credentials)) throw new Error(error.message);
const client = await OfflineClient.open({
  url,
  tokens: session,
  store: new IndexedDbStore(`notes-${run}`),
  timeoutMs,
  onConflict: ({ mine, theirs, mayBeApplied }) => (mayBeApplied ? theirs : mine),
  onRejected: (entry, errors) => console.log('rejected', entry.kind, JSON.stringify(errors)),
});
client.start();

// Every operation must work offline, so none may be sent.
const onRemote = (operation: unknown, reason: string) => {
  throw new Error(`${String(operation)} was sent: ${reason}`);
};
const link = ApolloLink.from([snapnoteLink({ client, onRemote }), new HttpLink({ uri: url, fetch: authorizedFetch(session) })]);
const apollo = new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }), defaultOptions });
followChanges(apollo, client);
const exchanges = [snapnoteExchange({ client, onRemote }), cacheExchange(graphcacheConfig), fetchExchange];
const urql = new Client({ url, fetch: authorizedFetch(session), exchanges, preferGetMethod: false });

const TASKS = gql`query Tasks { tasks { nodes { id title } } }`;
const ADD = gql`mutation Add($input: CreateTaskInput!) { createTask(input: $input) { task { id title } userErrors { code } } }`;
const RENAME = gql`mutation Rename($input: UpdateTaskInput!) { updateTask(input: $input) { task { id title } userErrors { code } } }`;
const REMOVE = gql`mutation Remove($input: ItemIdsInput!) { trashItems(input: $input) { items { id } userErrors { code } } }`;

interface Found {
  readonly tasks: { readonly nodes: readonly { readonly id: string; readonly title: string }[] };
}

interface Added {
  readonly createTask: { readonly task: { readonly id: string } };
}

const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));

function State() {
  const { status, unsent, isLoaded } = useSyncState();
  return <p data-status={status} data-unsent={unsent} data-loaded={isLoaded} data-connected={client.isConnectedTab} />;
}

function HookList() {
  return useItems('Task').map(({ id, fields }) => <li key={id} id={id}>{fields.title}</li>);
}

function CollectionList() {
  const { data } = useLiveQuery((query) => query.from({ task: tasks }).orderBy(({ task }) => task.id));
  return data.map(({ id, title }) => <li key={id} id={id}>{title}</li>);
}

function ApolloList() {
  return useApolloQuery<Found>(TASKS).data?.tasks.nodes.map(({ id, title }) => <li key={id} id={id}>{title}</li>);
}

function UrqlList() {
  return useQuery<Found>({ query: TASKS })[0].data?.tasks.nodes.map(({ id, title }) => <li key={id} id={id}>{title}</li>);
}

const lists = { react: HookList, 'tanstack-db': CollectionList, apollo: ApolloList, urql: UrqlList };

const actions = {
  react: {
    add: (title: string) => client.create('Task', { title }),
    rename: (id: string, title: string) => client.update('Task', id, { title }),
    remove: (id: string) => client.trash(id),
  },
  'tanstack-db': {
    add: async (title: string) => {
      const row = newRow('Task', { title });
      await tasks.insert(row).isPersisted.promise;
      return row.id;
    },
    rename: (id: string, title: string) => tasks.update(id, (task) => void (task.title = title)).isPersisted.promise,
    remove: (id: string) => tasks.delete(id).isPersisted.promise,
  },
  apollo: {
    add: async (title: string) => (await apollo.mutate<Added>({ mutation: ADD, variables: { input: { title } } })).data!.createTask.task.id,
    rename: (id: string, title: string) => apollo.mutate({ mutation: RENAME, variables: { input: { id, title } } }),
    remove: (id: string) => apollo.mutate({ mutation: REMOVE, variables: { input: { ids: [id] } } }),
  },
  urql: {
    add: async (title: string) => (await urql.mutation<Added>(ADD, { input: { title } }).toPromise()).data!.createTask.task.id,
    rename: (id: string, title: string) => urql.mutation(RENAME, { input: { id, title } }).toPromise(),
    remove: (id: string) => urql.mutation(REMOVE, { input: { ids: [id] } }).toPromise(),
  },
};

const adapter = parameter('adapter') as keyof typeof actions;
const List = lists[adapter];
Object.assign(window, { app: { ...actions[adapter], wake: () => client.wake() } });
createRoot(document.querySelector('main')!).render(
  <SnapNoteProvider client={client}>
    <ApolloProvider client={apollo}>
      <Provider value={urql}>
        <State />
        <ul><List /></ul>
      </Provider>
    </ApolloProvider>
  </SnapNoteProvider>,
);
