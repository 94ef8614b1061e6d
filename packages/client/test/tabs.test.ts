// Tabs that share a store in IndexedDB.

import './browser.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfflineClient } from '../src/client.js';
import { IndexedDbStore } from '../src/indexeddb.js';
import type { Session } from '../src/session.js';
import { field, open, settled, signedIn, statusOf, until, type Device } from './device.js';
import { broken, FakeService } from './service.js';

let databases = 0;

async function tabs(service: FakeService, count: number, name = `tabs-${databases++}`, session?: Session): Promise<Device[]> {
  const tokens = session ?? (await signedIn(service));
  const devices = await Promise.all(Array.from({ length: count }, () => open(service, { tokens, store: new IndexedDbStore(name) })));
  for (const { client } of devices) client.start();
  await until(() => devices.every(({ client }) => client.status === 'live'), 'all tabs are live');
  return devices;
}

const close = (devices: Device[]) => Promise.all(devices.map(({ client }) => client.close()));
const titles = (client: OfflineClient) => [...client.items().keys()].sort().map((id) => `${id} ${field(client, id, 'title')} ${statusOf(client, id)}`);

test('one tab is connected, and all show the same and write', async () => {
  const service = new FakeService();
  const devices = await tabs(service, 3);
  const clients = devices.map(({ client }) => client);
  assert.equal(clients.filter((client) => client.isConnectedTab).length, 1);
  assert.equal(service.operations.filter((name) => name === 'Feed').length, 1);
  const ids = await Promise.all(clients.map((client, tab) => client.create('Task', { title: `of tab ${tab}` })));
  await Promise.all(clients.map((client, tab) => client.confirmed(ids[tab]!)));
  await until(() => clients.every((client) => client.items().size === 3 && client.outbox().length === 0), 'equal');
  assert.deepEqual([...service.items.keys()].sort(), [...ids].sort());
  service.other('UpdateTask', { id: ids[0]!, title: 'elsewhere' });
  await until(() => clients.every((client) => field(client, ids[0]!, 'title') === 'elsewhere'), 'received');
  await close(devices);
});

test('when the connected tab closes, another one takes over', async () => {
  const service = new FakeService();
  const devices = await tabs(service, 2);
  const [first, second] = devices.sort((a) => (a.client.isConnectedTab ? -1 : 1)) as [Device, Device];
  service.handle = async () => {
    throw broken();
  };
  await first.client.create('Task', { title: 'one' });
  await second.client.create('Task', { title: 'two' });
  await first.client.close();
  service.handle = async (_, execute) => execute();
  await until(() => second.client.isConnectedTab, 'connected');
  second.client.wake();
  await settled(second.client);
  assert.deepEqual([...service.items.values()].map((item) => item['title']), ['one', 'two']);
  await second.client.close();
});

test('edits of several tabs become one update, and a sent update absorbs none', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const devices = await tabs(service, 2);
  const [a, b] = devices.map(({ client }) => client) as [OfflineClient, OfflineClient];
  service.handle = async () => {
    throw broken();
  };
  service.disconnect();
  await until(() => a.status === 'offline' && b.status === 'offline', 'offline');
  await a.update('Task', task, { title: 'of a' });
  await until(() => field(b, task, 'title') === 'of a', 'seen');
  await b.update('Task', task, { priority: 'HIGH' });
  await b.update('Task', task, { description: 'of b' });
  await until(() => a.outbox().length === 1 && field(a, task, 'description') === 'of b', 'absorbed');
  service.handle = async (_, execute) => execute();
  b.wake();
  await settled(a);
  assert.deepEqual([service.history(task), service.field(task, 'title'), service.field(task, 'priority')], ['CREATED UPDATED', 'of a', 'HIGH']);
  await close(devices);
});

test('a rejection is reported in all tabs', async () => {
  const service = new FakeService();
  const devices = await tabs(service, 2);
  const follower = devices.find(({ client }) => !client.isConnectedTab)!;
  const id = await follower.client.create('Task', { title: ' ' });
  await assert.rejects(follower.client.confirmed(id), { name: 'Rejected' });
  await until(() => devices.every(({ rejected, client }) => rejected.length === 1 && client.rejections().length === 1), 'reported');
  await follower.client.dismiss(follower.client.rejections()[0]!);
  await until(() => devices.every(({ client }) => client.rejections().length === 0), 'dismissed');
  assert.deepEqual(devices.map(({ client }) => client.items().size), [0, 0]);
  await close(devices);
});

test('a store is deleted with all it contains', async () => {
  const service = new FakeService();
  const name = `tabs-${databases++}`;
  const store = new IndexedDbStore(name);
  const { client } = await open(service, { store });
  await client.create('Task', { title: 'unsent' });
  // A second connection must not prevent it.
  const other = new IndexedDbStore(name);
  assert.equal((await other.load()).outbox.length, 1);
  await client.close();
  await store.destroy();
  assert.deepEqual((await store.load()).outbox, []);
  store.close();
});

test('a tab that missed a message reads the state again', async () => {
  const service = new FakeService();
  const devices = await tabs(service, 2);
  const [a, b] = devices.map(({ client }) => client) as [OfflineClient, OfflineClient];
  // Another tab that crashed before it told the others.
  const silent = new IndexedDbStore((devices[0]!.store as unknown as { shared?: string }).shared ?? `tabs-${databases - 1}`);
  await silent.commit(() => ({ put: [{ type: 'Tag', id: 'x', version: 1, status: 'ACTIVE', trashedWith: null, fields: { name: 'X', color: null } }] }));
  const id = await a.create('Task', { title: 'T' });
  await until(() => [a, b].every((client) => client.items().has('x') && client.items().has(id)), 'read again');
  silent.close();
  await close(devices);
});

test('random changes in two tabs over a network that breaks: no item is lost or doubled', async () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    let state = seed;
    const random = (sides: number) => (state = (state * 48271) % 2147483647) % sides;
    const service = new FakeService();
    const name = `random-${seed}`;
    const tokens = await signedIn(service);
    let devices = await tabs(service, 2, name, tokens);
    const faults = async (_: unknown, execute: () => unknown) => {
      const fault = random(6);
      if (fault === 0) throw broken();
      const response = execute();
      if (fault === 1) throw broken();
      return response;
    };
    const created = new Set<string>();
    const counts = new Map<string, number>();
    for (let step = 0; step < 30; step += 1) {
      service.handle = random(3) ? faults : async (_, execute) => execute();
      const { client } = devices[random(2)]!;
      const active = [...client.items().values()].filter((item) => item.type === 'Task' && item.status === 'ACTIVE');
      const task = active[random(active.length || 1)];
      const kind = random(10);
      if (kind < 3 || !task) created.add(await client.create('Task', { title: `${seed}.${step}` }));
      else if (kind < 7) {
        counts.set(task.id, (counts.get(task.id) ?? 0) + 1);
        await client.update('Task', task.id, { title: `${seed}.${step}` }).catch(() => {});
      } else if (kind < 8) await client.trash(task.id);
      else if (kind < 9) service.disconnect();
      else {
        // The connected tab closes, and another one opens.
        await devices[0]!.client.close();
        const opened = await open(service, { tokens, store: new IndexedDbStore(name) });
        opened.client.start();
        devices = [devices[1]!, opened];
      }
      if (random(2)) await new Promise((done) => setTimeout(done, random(20)));
    }
    service.handle = async (_, execute) => execute();
    for (const { client } of devices) client.wake();
    await until(() => devices.every(({ client }) => client.status === 'live' && client.outbox().length === 0), `settled ${seed}`);
    const [a, b] = devices.map(({ client }) => titles(client));
    assert.deepEqual(a, b);
    assert.deepEqual(a, [...service.items.keys()].sort().map((id) => `${id} ${service.field(id, 'title')} ${service.items.get(id)?.status}`));
    assert.deepEqual(new Set(service.items.keys()), created);
    for (const id of created) {
      const updates = service.history(id).split(' ').filter((action) => action === 'UPDATED').length;
      assert(updates <= (counts.get(id) ?? 0), `${id}: ${service.history(id)}`);
    }
    await close(devices);
  }
});
