// urql with the exchange, alone and before Graphcache.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, type Exchange, type OperationResult } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { filter, map, pipe, subscribe } from 'wonka';
import type { OfflineClient } from '../src/client.js';
import { graphcacheConfig, snapnoteExchange } from '../src/urql.js';
import { connected, open, until, url } from './device.js';
import { broken, FakeService } from './service.js';

interface Tasks {
  tasks: { nodes: { id: string; title: string }[] };
}

function urqlOf(client: OfflineClient, remote: () => Record<string, unknown> = () => ({})) {
  const [sent, reasons]: string[][] = [[], []];
  const service: Exchange = () => (operations) =>
    pipe(
      operations,
      filter(({ kind }) => kind !== 'teardown'),
      map((operation): OperationResult => {
        sent!.push(operation.kind);
        return { operation, data: remote(), stale: false, hasNext: false };
      }),
    );
  const exchange = snapnoteExchange({ client, onRemote: (_, reason) => reasons!.push(reason) });
  const exchanges = [exchange, cacheExchange(graphcacheConfig), service];
  return { urql: new Client({ url, exchanges, preferGetMethod: false, requestPolicy: 'cache-and-network' }), sent: sent!, reasons: reasons! };
}

function watch(urql: Client, query: string) {
  const shown: { titles?: string[] | undefined; error?: unknown; count: number } = { count: 0 };
  const { unsubscribe } = pipe(
    urql.query<Tasks>(query, {}),
    subscribe(({ data, error }) => {
      shown.count += 1;
      shown.error = error;
      shown.titles = data?.tasks.nodes.map(({ title }) => title);
    }),
  );
  return { shown, stop: unsubscribe };
}

const TASKS = '{ tasks(orderBy: { field: TITLE }) { nodes { id title } } }';
const ADD = 'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id title } userErrors { code } } }';

test('lists work offline, and follow changes of this user and of other devices', async () => {
  const service = new FakeService();
  const theirs = service.createTask({ title: 'b' });
  const { client } = await connected(service);
  const { urql, sent } = urqlOf(client);
  const [one, other] = [watch(urql, TASKS), watch(urql, TASKS)];
  await until(() => one.shown.titles?.join() === 'b' && other.shown.titles?.join() === 'b', 'shown');
  service.handle = async () => {
    throw broken();
  };
  service.disconnect();
  await until(() => client.status === 'offline', 'offline');
  const { data } = await urql.mutation<{ createTask: { task: { id: string } } }>(ADD, { input: { title: 'a' } }).toPromise();
  await until(() => one.shown.titles?.join() === 'a,b', 'offline list');
  service.handle = async (_, execute) => execute();
  client.wake();
  await client.confirmed(data!.createTask.task.id);
  one.stop();
  service.other('UpdateTask', { id: theirs, title: 'renamed' });
  await until(() => other.shown.titles?.join() === 'a,renamed', 'live');
  assert.equal(one.shown.titles?.join(), 'a,b');
  // A change of something else gives no new result.
  const { count } = other.shown;
  await client.create('Tag', { name: 'X' });
  assert.equal(other.shown.count, count);
  assert.deepEqual([sent, other.shown.error], [[], undefined]);
  other.stop();
  await client.close();
});

test('a list waits until the items are read for the first time, and is current when it is shown again', async () => {
  const service = new FakeService();
  service.createTask({ title: 'T' });
  const { client } = await open(service);
  const { urql } = urqlOf(client);
  const promise = urql.query<Tasks>(TASKS, {}).toPromise();
  const list = watch(urql, TASKS);
  client.start();
  assert.deepEqual((await promise).data?.tasks.nodes.length, 1);
  await until(() => list.shown.titles?.join() === 'T', 'shown');
  list.stop();
  await client.create('Task', { title: 'U' });
  const again = watch(urql, TASKS);
  await until(() => again.shown.titles?.join() === 'T,U', 'shown again');
  again.stop();
  await client.close();
});

test('other operations go through Graphcache to the service, and are fetched again after changes', async () => {
  const service = new FakeService();
  service.createTask({ title: 'one' });
  const { client } = await connected(service);
  const item = (id: string) => ({ __typename: 'Task', id, title: service.field(id, 'title'), createdAt: 'then' });
  const remote = () => ({ __typename: 'Query', tasks: { __typename: 'TaskConnection', nodes: [...service.items.keys()].map(item) } });
  const { urql, sent, reasons } = urqlOf(client, remote);
  const list = watch(urql, '{ tasks { nodes { id title createdAt } } }');
  await until(() => list.shown.titles?.join() === 'one', 'fetched');
  assert.deepEqual([sent, reasons[0]], [['query'], 'Task.createdAt is not kept by the client.']);
  service.createTask({ title: 'two' });
  await until(() => list.shown.titles?.join() === 'one,two', 'fetched again');
  list.stop();
  const before = sent.length;
  service.createTask({ title: 'three' });
  await until(() => client.items().size === 3, 'received');
  await new Promise((done) => setTimeout(done, 1_100));
  assert.equal(sent.length, before);
  await client.close();
});

test('a mutation that cannot be stored is an error', async () => {
  const { client, store } = await open(new FakeService());
  const { urql } = urqlOf(client);
  store.commit = async () => {
    throw new Error('The disk is full.');
  };
  const { error } = await urql.mutation(ADD, { input: { title: 'a' } }).toPromise();
  assert.match(String(error?.networkError), /full/);
  await client.close();
});
