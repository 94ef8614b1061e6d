// What happens at the edges: starting again, closing with pending writes, signing out during a refresh.

import './browser.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OfflineClient } from '../src/client.js';
import { IndexedDbStore } from '../src/indexeddb.js';
import type { Values } from '../src/items.js';
import { absorb, type Entry, type Update } from '../src/outbox.js';
import { IndexedDbSessionStore, Session, type Tokens } from '../src/session.js';
import { MemoryStore, type Store } from '../src/store.js';
import { signedIn, until, url } from './device.js';
import { FakeService, Failure, hold } from './service.js';

async function clientOf(service: FakeService, store: Store = new MemoryStore(), tokens?: Tokens): Promise<OfflineClient> {
  return OfflineClient.open({
    url,
    tokens: tokens ?? (await signedIn(service)),
    store,
    webSocket: service.webSocket,
    timeoutMs: 1000,
    onConflict: ({ mine }) => mine,
  });
}

const isLive = (client: OfflineClient) => until(() => client.status === 'live', 'live');

test('a client that is stopped and started at once connects again', async () => {
  const client = await clientOf(new FakeService());
  client.start();
  await isLive(client);
  void client.stop();
  client.start();
  await until(() => client.isConnectedTab && client.status === 'live', 'connected again');
  await client.close();
});

test('a change that fails again and again is repeated with longer pauses', async () => {
  const service = new FakeService();
  const client = await clientOf(service);
  service.handle = async (request, execute) => {
    if (request.name === 'CreateTask') throw new Failure('INTERNAL');
    return execute();
  };
  client.start();
  await isLive(client);
  await client.create('Task', { title: 'x' });
  await new Promise((done) => setTimeout(done, 3000));
  const attempts = service.operations.filter((name) => name === 'CreateTask').length;
  assert.ok(attempts > 0 && attempts <= 6, `${attempts} attempts`);
  await client.close();
});

test('a tab takes over although another tab signed in again', async () => {
  const service = new FakeService();
  const tokens = await signedIn(service);
  const open = () => clientOf(service, new IndexedDbStore('signed-in-again'), tokens);
  const [one, other] = [await open(), await open()];
  one.start();
  other.start();
  await isLive(one);
  await isLive(other);
  let hasLed = false;
  other.subscribe(() => (hasLed ||= other.isConnectedTab));
  await tokens.signOut();
  service.accepted.clear();
  service.disconnect();
  await until(() => hasLed && !one.isConnectedTab && !other.isConnectedTab, 'both signed out');
  await tokens.signIn({ email: 'a', password: 'b' });
  one.start();
  await isLive(one);
  await one.close();
  const id = await other.create('Task', { title: 'x' });
  await until(() => service.items.has(id), 'sent');
  await other.close();
});

test('a refresh in progress does not undo a sign-out', async () => {
  const service = new FakeService();
  const session = await signedIn(service);
  const token = await session.accessToken();
  const held = hold(service, 'Refresh');
  const renewed = session.renew(token).catch(() => {});
  await held.arrived;
  const out = session.signOut();
  held.release();
  await Promise.all([renewed, out]);
  assert.equal(await session.userId(), null);
});

test('a refresh in one tab does not undo a sign-in in another', async () => {
  const service = new FakeService();
  globalThis.fetch = service.fetch as typeof fetch;
  const open = () => new Session({ url, store: new IndexedDbSessionStore('two-users') });
  const [one, other] = [open(), open()];
  await one.signIn({ email: 'a', password: 'p' });
  const token = await one.accessToken();
  const held = hold(service, 'Refresh');
  const renewed = one.renew(token).catch(() => {});
  await held.arrived;
  const changed = other.signOut().then(() => {
    service.user = 'bob';
    return other.signIn({ email: 'b', password: 'p' });
  });
  held.release();
  await Promise.all([renewed, changed]);
  assert.equal(await open().userId(), 'bob');
});

test('writes that are pending when a client closes succeed', async () => {
  const client = await clientOf(new FakeService(), new IndexedDbStore('closing'));
  const created = Promise.all(['a', 'b', 'c'].map((title) => client.create('Task', { title })));
  await client.close();
  assert.equal((await created).length, 3);
});

test('an error of a listener does not fail a write', async () => {
  const client = await clientOf(new FakeService());
  const seen: unknown[] = [];
  const { queueMicrotask: queue } = globalThis;
  globalThis.queueMicrotask = (task) =>
    queue(() => {
      try {
        task();
      } catch (error) {
        seen.push(error);
      }
    });
  const leave = client.subscribe(() => {
    throw new Error('of the app');
  });
  await client.create('Task', { title: 'x' });
  leave();
  await until(() => seen.length > 0, 'reported');
  globalThis.queueMicrotask = queue;
  await client.close();
});

test('an update does not move before a create that it may need', () => {
  const update = (key: string, fields: Values): Update => ({ kind: 'update', key, type: 'Task', id: 't', fields, base: {} });
  const create: Entry = { kind: 'create', key: '2', type: 'Course', id: 'c', fields: { name: 'Looms' } };
  const added = update('3', { courseId: 'c' });
  assert.deepEqual(absorb([update('1', { title: 'x' }), create], added), { enqueue: [added] });
});
