// Failures of the app, of storage and of restarts, which must be reported and must not last.

import './browser.js';
import assert from 'node:assert/strict';
import fs, { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { mock, test } from 'node:test';
import { openDatabase, result } from '../src/database.js';
import { IndexedDbStore } from '../src/indexeddb.js';
import { FileSessionStore, FileStore } from '../src/node.js';
import { connected, open, OpenStore, settled, until } from './device.js';
import { FakeService, hold } from './service.js';

test('after a restart, an item with a rejected change is not confirmed', async () => {
  const service = new FakeService();
  const first = await connected(service);
  const id = await first.client.create('Tag', { name: 'X' });
  await first.client.confirmed(id);
  await first.client.update('Tag', id, { name: 'Y' });
  await first.client.confirmed(id);
  service.other('CreateTag', { id: 'taken', name: 'Exam' });
  const rejected = await first.client.create('Tag', { name: 'Exam' });
  await assert.rejects(first.client.confirmed(rejected), { name: 'Rejected' });
  await first.client.close();
  const again = await open(service, {}, first.store);
  await assert.rejects(again.client.confirmed(rejected), { name: 'Rejected' });
  await again.client.confirmed(id);
  assert.deepEqual(again.rejected, []);
  // A new change of the item counts instead.
  await again.client.create('Tag', { name: 'Test' }, rejected);
  again.client.start();
  await again.client.confirmed(rejected);
  await again.client.close();
});

test('a rejection is reported in a tab that missed the message about it', async () => {
  const service = new FakeService();
  const store = new OpenStore();
  const { client, rejected } = await open(service, {}, store);
  const entry = { key: 'k', kind: 'trash', type: 'Task', id: 't' } as const;
  await store.commit(() => ({ rejected: [{ entry, errors: [{ code: 'NOT_FOUND', field: null, message: '' }] }] }));
  await client.create('Task', { title: 'x' });
  await until(() => rejected.length === 1, 'reported');
  await assert.rejects(client.confirmed('t'), { name: 'Rejected' });
  await client.close();
});

test('an onConflict that fails rejects the change, and others are sent', async () => {
  const failures = {
    throws: () => {
      throw new Error('of the app');
    },
    promise: async () => 'late',
    undefined: () => undefined,
  };
  for (const [name, onConflict] of Object.entries(failures)) {
    const service = new FakeService();
    const task = service.createTask();
    let asked = 0;
    const { client, rejected } = await connected(service, { onConflict: () => ((asked += 1), onConflict()) });
    const { handle } = service;
    service.handle = async (_, execute) => {
      service.handle = handle;
      service.other('UpdateTask', { id: task, title: 'theirs' });
      return execute();
    };
    await client.update('Task', task, { title: 'mine' });
    const other = await client.create('Task', { title: 'other' });
    await client.confirmed(other);
    await assert.rejects(client.confirmed(task), /onConflict failed: .*(of the app|must return a value)/, name);
    assert.deepEqual([asked, rejected.map(({ codes }) => codes), service.field(task, 'title')], [1, [['CONFLICT']], 'theirs'], name);
    assert.deepEqual(client.rejections().map(({ entry }) => entry.kind === 'update' && entry.fields['title']), ['mine']);
    await client.close();
  }
});

test('a database that could not be opened is opened again', async () => {
  const store = new IndexedDbStore('opened-again');
  const opening = mock.method(indexedDB, 'open', () => {
    throw new Error('no space');
  });
  await assert.rejects(store.load(), /no space/);
  opening.mock.restore();
  assert.equal((await store.load()).revision, 0);
  store.close();
});

test('an open database does not prevent another tab from upgrading or deleting it', async () => {
  await openDatabase('upgraded', (database) => database.createObjectStore('session'));
  const upgrade = indexedDB.open('upgraded', 2);
  const blocked = new Promise((_, reject) => (upgrade.onblocked = () => reject(new Error('blocked'))));
  const upgraded = (await Promise.race([result(upgrade), blocked])) as IDBDatabase;
  upgraded.close();
  await result(indexedDB.deleteDatabase('upgraded'));
});

test('a client stays loaded while everything is read again', async () => {
  const service = new FakeService();
  service.createTask();
  const { client, store } = await connected(service);
  const seen = new Set<boolean>();
  client.subscribe(() => seen.add(client.isLoaded));
  service.expireCursors();
  const { arrived, release } = hold(service, 'Cursor');
  service.disconnect();
  await arrived;
  // Also after a restart.
  const again = await open(service, {}, store);
  assert.equal(again.client.isLoaded, true);
  release();
  await settled(client);
  assert.deepEqual([...seen], [true]);
  assert.equal(service.operations.filter((name) => name === 'AllTasks').length, 2);
  await again.client.close();
  await client.close();
});

test('a client that cannot be opened leaves nothing open', async () => {
  const channels: { isClosed: boolean }[] = [];
  const { BroadcastChannel: Original } = globalThis;
  globalThis.BroadcastChannel = class extends Original {
    isClosed = false;
    constructor(name: string) {
      super(name);
      channels.push(this);
    }
    override close() {
      this.isClosed = true;
      super.close();
    }
  } as typeof BroadcastChannel;
  const opening = mock.method(indexedDB, 'open', () => {
    throw new Error('no space');
  });
  const service = new FakeService();
  await assert.rejects(open(service, { store: new IndexedDbStore('not-opened') }), /no space/);
  opening.mock.restore();
  globalThis.BroadcastChannel = Original;
  assert.deepEqual(channels.map(({ isClosed }) => isClosed), [true]);
});

test('files are stored durably before they count as written, and only their owner can read a session', async () => {
  const folder = mkdtempSync(`${tmpdir()}/snapnote-files-`);
  const synced: string[] = [];
  const { fsyncSync } = fs;
  fs.fsyncSync = (descriptor) => {
    synced.push(fs.fstatSync(descriptor).isDirectory() ? 'folder' : 'file');
    fsyncSync(descriptor);
  };
  syncBuiltinESMExports();
  try {
    const session = new FileSessionStore(`${folder}/session`);
    assert.equal(await session.load(), null);
    const state = { refreshToken: 'r', accessToken: 'a', renewAt: 1, userId: 'u' };
    await session.save(state);
    assert.deepEqual([await session.load(), synced.splice(0)], [state, ['file', 'folder']]);
    assert.equal(statSync(`${folder}/session`).mode & 0o777, 0o600);
    await new FileStore(`${folder}/notes.json`).commit(() => ({ cursor: 'c' }));
    assert.deepEqual(synced, ['file', 'folder']);
    assert.equal(JSON.parse(readFileSync(`${folder}/notes.json`, 'utf8')).cursor, 'c');
  } finally {
    fs.fsyncSync = fsyncSync;
    syncBuiltinESMExports();
    rmSync(folder, { recursive: true });
  }
});
