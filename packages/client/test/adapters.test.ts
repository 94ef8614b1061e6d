// Random changes through each adapter in two tabs, over a network that breaks. RUNS=200 npm test -- adapters makes more runs.

import './browser.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, gql, InMemoryCache } from '@apollo/client';
import { createCollection } from '@tanstack/db';
import { Client } from '@urql/core';
import { pipe, subscribe } from 'wonka';
import { defaultOptions, followChanges, snapnoteLink, typePolicies } from '../src/apollo.js';
import type { OfflineClient } from '../src/client.js';
import { IndexedDbStore } from '../src/indexeddb.js';
import { newRow, snapnoteCollectionOptions } from '../src/tanstack-db.js';
import { snapnoteExchange } from '../src/urql.js';
import { open, signedIn, until, url } from './device.js';
import { broken, FakeService } from './service.js';

/** An app with a list of tasks. */
interface App {
  add(title: string): Promise<string>;
  rename(id: string, title: string): Promise<unknown>;
  remove(id: string): Promise<unknown>;
  /** What it shows. */
  list(): readonly { readonly id: string; readonly title: string }[];
  end(): void;
}

interface Tasks {
  readonly tasks: { readonly nodes: readonly { readonly id: string; readonly title: string }[] };
}

interface Added {
  readonly createTask: { readonly task: { readonly id: string } };
}

const TASKS = 'query Tasks { tasks { nodes { id title } } }';
const ADD = 'mutation Add($input: CreateTaskInput!) { createTask(input: $input) { task { id title } userErrors { code } } }';
const RENAME = 'mutation Rename($input: UpdateTaskInput!) { updateTask(input: $input) { task { id title } userErrors { code } } }';
const REMOVE = 'mutation Remove($input: ItemIdsInput!) { trashItems(input: $input) { items { id } userErrors { code } } }';
const onRemote = (_: unknown, reason: string) => {
  throw new Error(reason);
};

function apolloApp(client: OfflineClient): App {
  const apollo = new ApolloClient({ link: snapnoteLink({ client, onRemote }), cache: new InMemoryCache({ typePolicies }), defaultOptions });
  const stop = followChanges(apollo, client);
  let shown: Tasks['tasks']['nodes'] = [];
  const subscription = apollo.watchQuery<Tasks>({ query: gql(TASKS) }).subscribe(({ data, dataState, error }) => {
    assert.equal(error, undefined);
    if (dataState === 'complete') shown = data.tasks.nodes as typeof shown;
  });
  const mutate = <T>(mutation: string, input: object) => apollo.mutate<T>({ mutation: gql(mutation), variables: { input } });
  return {
    add: async (title) => (await mutate<Added>(ADD, { title })).data!.createTask.task.id,
    rename: (id, title) => mutate(RENAME, { id, title }),
    remove: (id) => mutate(REMOVE, { ids: [id] }),
    list: () => shown,
    end: () => [() => subscription.unsubscribe(), stop, () => apollo.stop()].forEach((one) => one()),
  };
}

function urqlApp(client: OfflineClient): App {
  const urql = new Client({ url, exchanges: [snapnoteExchange({ client, onRemote })], preferGetMethod: false });
  let shown: Tasks['tasks']['nodes'] = [];
  const { unsubscribe } = pipe(
    urql.query<Tasks>(TASKS, {}),
    subscribe(({ data, error }) => {
      assert.equal(error, undefined);
      shown = data?.tasks.nodes ?? [];
    }),
  );
  return {
    add: async (title) => (await urql.mutation<Added>(ADD, { input: { title } }).toPromise()).data!.createTask.task.id,
    rename: (id, title) => urql.mutation(RENAME, { input: { id, title } }).toPromise(),
    remove: (id) => urql.mutation(REMOVE, { input: { ids: [id] } }).toPromise(),
    list: () => shown,
    end: unsubscribe,
  };
}

function tanstackApp(client: OfflineClient): App {
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  tasks.startSyncImmediate();
  return {
    add: async (title) => {
      const row = newRow('Task', { title });
      await tasks.insert(row).isPersisted.promise;
      return row.id;
    },
    rename: (id, title) => tasks.update(id, (task) => void (task.title = title)).isPersisted.promise,
    remove: (id) => tasks.delete(id).isPersisted.promise,
    list: () => tasks.toArray,
    end: () => void tasks.cleanup(),
  };
}

const runs = Number(process.env['RUNS'] ?? 1);

for (const [name, appOf] of Object.entries({ apollo: apolloApp, urql: urqlApp, 'tanstack-db': tanstackApp })) {
  test(`${name}: no task is lost or doubled, and both tabs show those of the service`, async () => {
    for (let seed = 1; seed <= runs; seed += 1) await run(`${name}-${seed}`, seed, appOf);
  });
}

async function run(name: string, seed: number, appOf: (client: OfflineClient) => App): Promise<void> {
  let state = seed;
  const random = (sides: number) => (state = (state * 48271) % 2147483647) % sides;
  const service = new FakeService();
  const tokens = await signedIn(service);
  const tab = async () => {
    const { client } = await open(service, { tokens, store: new IndexedDbStore(name) });
    client.start();
    return { client, app: appOf(client) };
  };
  let tabs = [await tab(), await tab()];
  await until(() => tabs.every(({ client }) => client.isLoaded), `loaded ${name}`);
  const faults = async (_: unknown, execute: () => unknown) => {
    const fault = random(6);
    if (fault === 0) throw broken();
    const response = execute();
    if (fault === 1) throw broken();
    return response;
  };
  const offline = async () => {
    throw broken();
  };
  const created = new Map<string, string[]>();
  const removed = new Set<string>();
  for (let step = 0; step < 30; step += 1) {
    service.handle = [faults, faults, offline, async (_: unknown, execute: () => unknown) => execute()][random(4)]!;
    const { app } = tabs[random(2)]!;
    const list = app.list();
    const task = list[random(list.length || 1)]?.id;
    const title = `${seed}.${step}`;
    const kind = random(10);
    if (kind < 3 || !task) created.set(await app.add(title), [title]);
    else if (kind < 6) {
      await app.rename(task, title);
      created.get(task)!.push(title);
    } else if (kind < 7) {
      removed.add(task);
      await app.remove(task);
    } else if (kind < 9) service.disconnect();
    else {
      const [first, second] = tabs as [(typeof tabs)[0], (typeof tabs)[0]];
      first.app.end();
      await first.client.close();
      tabs = [second, await tab()];
    }
    if (random(2)) await new Promise((done) => setTimeout(done, random(20)));
  }
  service.handle = async (_, execute) => execute();
  const isSettled = ({ client }: { client: OfflineClient }) => {
    // The client may begin a long pause after this.
    if (client.status === 'offline') client.wake();
    return client.status === 'live' && client.outbox().length === 0;
  };
  await until(() => tabs.filter(isSettled).length === 2, `settled ${name}`);
  const active = [...service.items.values()].filter(({ status }) => status === 'ACTIVE').map(({ id, title }) => `${id} ${String(title)}`).toSorted();
  const shown = ({ app }: { app: App }) => app.list().map(({ id, title }) => `${id} ${title}`).toSorted();
  await until(() => tabs.every((one) => shown(one).join() === active.join()), `equal ${name}`);
  assert.deepEqual(new Set(service.items.keys()), new Set(created.keys()), name);
  for (const [id, titles] of created) {
    assert.equal(service.history(id).match(/CREATED/g)?.length, 1, `${name}: ${service.history(id)}`);
    assert(titles.includes(String(service.field(id, 'title'))), `${name}: ${String(service.field(id, 'title'))}`);
    assert(removed.has(id) || service.items.get(id)?.status === 'ACTIVE', `${name}: ${id} is lost`);
  }
  for (const { app, client } of tabs) {
    app.end();
    await client.close();
  }
}
