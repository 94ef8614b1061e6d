// Apollo Client with the link, and its cache after changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, gql, InMemoryCache, Observable } from '@apollo/client';
import { defaultOptions, followChanges, snapnoteLink, typePolicies } from '../src/apollo.js';
import type { OfflineClient } from '../src/client.js';
import { connected, open, until } from './device.js';
import { broken, FakeService } from './service.js';

interface Tasks {
  tasks: { nodes: { id: string; title: string }[] };
}

/** An Apollo Client, and the operations that the service gets. */
function apolloOf(client: OfflineClient, remote: (variables: Record<string, unknown>) => Record<string, unknown> = () => ({})) {
  const sent: string[] = [];
  const service = new ApolloLink(
    ({ operationName, variables }) =>
      new Observable((observer) => {
        sent.push(String(operationName));
        observer.next({ data: remote(variables) });
        observer.complete();
      }),
  );
  const reasons: string[] = [];
  const link = ApolloLink.from([snapnoteLink({ client, onRemote: (name, reason) => reasons.push(`${name}: ${reason}`) }), service]);
  const apollo = new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }), defaultOptions });
  const stop = followChanges(apollo, client);
  return { apollo, sent, reasons, end: async () => (stop(), apollo.stop(), client.close()) };
}

/** What a component that watches a query shows. */
function watch(apollo: ApolloClient, query: string, variables = {}) {
  const shown: { titles?: string[]; error?: unknown; count: number } = { count: 0 };
  const subscription = apollo.watchQuery<Tasks>({ query: gql(query), variables }).subscribe(({ data, dataState, error }) => {
    shown.count += 1;
    shown.error = error;
    if (dataState === 'complete') shown.titles = data.tasks.nodes.map(({ title }) => title);
  });
  return { shown, stop: () => subscription.unsubscribe() };
}

const TASKS = 'query Tasks { tasks(orderBy: { field: TITLE }) { nodes { id title completed } } }';
const OPEN = 'query Open { tasks(filter: { completed: false }, orderBy: { field: TITLE }) { nodes { id title } } }';
const ADD = gql`mutation Add($input: CreateTaskInput!) { createTask(input: $input) { task { id title completed } userErrors { code } } }`;
const EDIT = gql`mutation Edit($input: UpdateTaskInput!) { updateTask(input: $input) { task { id title completed } userErrors { code } } }`;
const TRASH = gql`mutation Trash($ids: [ID!]!) { trashItems(input: { ids: $ids }) { items { id status } userErrors { code } } }`;

test('lists work offline, and follow changes of this user and of other devices', async () => {
  const service = new FakeService();
  const theirs = service.createTask({ title: 'b' });
  const { client } = await connected(service);
  const { apollo, sent, end } = apolloOf(client);
  const [all, active] = [watch(apollo, TASKS), watch(apollo, OPEN)];
  await until(() => all.shown.titles?.length === 1 && active.shown.titles?.length === 1, 'shown');
  service.handle = async () => {
    throw broken();
  };
  service.disconnect();
  await until(() => client.status === 'offline', 'offline');
  const { data } = await apollo.mutate<{ createTask: { task: { id: string } } }>({ mutation: ADD, variables: { input: { title: 'a' } } });
  await apollo.mutate({ mutation: EDIT, variables: { input: { id: theirs, completed: true } } });
  await until(() => all.shown.titles?.join() === 'a,b' && active.shown.titles?.join() === 'a', 'lists');
  service.handle = async (_, execute) => execute();
  client.wake();
  await Promise.all([client.confirmed(data!.createTask.task.id), client.confirmed(theirs)]);
  service.other('UpdateTask', { id: theirs, title: 'renamed', completed: false });
  await until(() => all.shown.titles?.join() === 'a,renamed' && active.shown.titles?.join() === 'a,renamed', 'live');
  await apollo.mutate({ mutation: TRASH, variables: { ids: [theirs] } });
  await until(() => all.shown.titles?.join() === 'a', 'trashed');
  assert.deepEqual([sent, all.shown.error], [[], undefined]);
  all.stop();
  active.stop();
  await end();
});

test('a list that no component watched is current when it is shown again', async () => {
  const service = new FakeService();
  const { client } = await connected(service);
  const { apollo, end } = apolloOf(client);
  const first = watch(apollo, TASKS);
  await until(() => first.shown.titles, 'shown');
  first.stop();
  await client.create('Task', { title: 'meanwhile' });
  const again = watch(apollo, TASKS);
  await until(() => again.shown.titles?.join() === 'meanwhile', 'current');
  again.stop();
  await end();
});

test('a list waits until the items are read for the first time', async () => {
  const service = new FakeService();
  service.createTask({ title: 'T' });
  const { client } = await open(service);
  const { apollo, end } = apolloOf(client);
  const list = watch(apollo, TASKS);
  client.start();
  await until(() => list.shown.titles, 'shown');
  assert.deepEqual([list.shown.titles], [['T']]);
  list.stop();
  await end();
});

test('other operations go to the service, and are fetched again after changes', async () => {
  const service = new FakeService();
  const id = service.createTask({ title: 'before' });
  const gone = service.createTask({ title: 'gone' });
  const { client } = await connected(service);
  const item = (task: string) => ({ __typename: 'Task', id: task, title: service.field(task, 'title'), createdAt: 'then' });
  const remote = () => ({ tasks: { __typename: 'TaskConnection', nodes: [...service.items.keys()].map(item) } });
  const { apollo, sent, reasons, end } = apolloOf(client, remote);
  const list = watch(apollo, 'query Dated { tasks { nodes { id title createdAt } } }');
  await until(() => list.shown.titles?.join() === 'before,gone', 'fetched');
  assert.deepEqual([sent, reasons], [['Dated'], ['Dated: Task.createdAt is not kept by the client.']]);
  // The user's change is visible at once, although the service has not confirmed it.
  service.handle = async () => {
    throw broken();
  };
  await client.update('Task', id, { title: 'mine' });
  await until(() => list.shown.titles?.join() === 'mine,gone', 'changed in the cache');
  assert.equal(sent.length, 1);
  service.handle = async (_, execute) => execute();
  client.wake();
  await client.confirmed(id);
  service.other('DeleteItems', { ids: [gone] });
  service.createTask({ title: 'new' });
  await until(() => list.shown.titles?.join() === 'mine,new', 'fetched again');
  assert(sent.length >= 2);
  assert.equal(Object.keys(apollo.cache.extract() as object).includes(`Task:${gone}`), false);
  list.stop();
  await end();
});

test('a mutation that cannot be stored is an error', async () => {
  const { client, store } = await open(new FakeService());
  const { apollo, end } = apolloOf(client);
  store.commit = async () => {
    throw new Error('The disk is full.');
  };
  await assert.rejects(apollo.mutate({ mutation: ADD, variables: { input: { title: 'a' } } }), /full/);
  await end();
});

test('pages are joined, and an item that moved is listed once', async () => {
  const { client } = await open(new FakeService());
  const task = (id: string) => ({ __typename: 'Task', id, title: id });
  const pages: Record<string, string[]> = { null: ['a', 'b'], '"b"': ['a', 'c'], '"c"': ['d'] };
  const remote = ({ after = null }: { after?: string | null }) => {
    const ids = pages[JSON.stringify(after)]!;
    const pageInfo = { __typename: 'PageInfo', endCursor: ids.at(-1), hasNextPage: after !== 'c', startCursor: ids[0], hasPreviousPage: after !== null };
    return { tasks: { __typename: 'TaskConnection', nodes: ids.map(task), edges: ids.map((id) => ({ __typename: 'TaskEdge', cursor: id, node: task(id) })), pageInfo } };
  };
  const { apollo, end } = apolloOf(client, remote);
  const query = gql`query Page($after: String) {
    tasks(after: $after) { nodes { id title } edges { cursor node { id } } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }`;
  interface Page {
    tasks: Tasks['tasks'] & { edges: { cursor: string }[]; pageInfo: { startCursor: string; endCursor: string; hasNextPage: boolean; hasPreviousPage: boolean } };
  }
  const watched = apollo.watchQuery<Page>({ query });
  let data: Page | undefined;
  const subscription = watched.subscribe((result) => {
    if (result.dataState === 'complete') data = result.data as Page;
  });
  await until(() => data, 'first page');
  for (const after of ['b', 'c']) await watched.fetchMore({ variables: { after } });
  await until(() => data?.tasks.nodes.length === 4, 'joined');
  assert.deepEqual(data?.tasks.nodes.map(({ id }) => id), ['b', 'a', 'c', 'd']);
  assert.deepEqual(data?.tasks.edges.map(({ cursor }) => cursor), ['b', 'a', 'c', 'd']);
  const { startCursor, endCursor, hasNextPage, hasPreviousPage } = data!.tasks.pageInfo;
  assert.deepEqual([startCursor, endCursor, hasNextPage, hasPreviousPage], ['a', 'd', false, false]);
  subscription.unsubscribe();
  await end();
});
