// Collections of TanStack DB.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCollection } from '@tanstack/db';
import { newRow, snapnoteCollectionOptions } from '../src/tanstack-db.js';
import { connected, open, until } from './device.js';
import { broken, FakeService } from './service.js';

test('a collection has the active items, and follows changes of other devices', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client } = await connected(service);
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  await tasks.preload();
  assert.deepEqual(tasks.toArray.map(({ id, title }) => [id, title]), [[task, 'T']]);
  const other = service.createTask({ title: 'other' });
  await until(() => tasks.size === 2, 'created');
  service.other('UpdateTask', { id: other, title: 'renamed' });
  await until(() => tasks.get(other)?.title === 'renamed', 'renamed');
  service.other('TrashItems', { ids: [task] });
  await until(() => tasks.size === 1, 'trashed');
  await client.close();
});

test('writes are visible at once, complete when they are stored, and are sent in order', async () => {
  const service = new FakeService();
  const { client } = await connected(service);
  const courses = createCollection(snapnoteCollectionOptions({ client, type: 'Course' }));
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  await Promise.all([courses.preload(), tasks.preload()]);
  const course = newRow('Course', { name: 'Algebra' });
  const row = newRow('Task', { title: 'T', courseId: course.id, completed: true });
  const inserts = [courses.insert(course), tasks.insert(row)];
  assert.equal(tasks.get(row.id)?.title, 'T');
  await Promise.all(inserts.map(({ isPersisted }) => isPersisted.promise));
  assert.equal(tasks.get(row.id)?.completed, true);
  await tasks.update(row.id, (draft) => {
    draft.title = 'renamed';
    draft.tagIds = [];
  }).isPersisted.promise;
  assert.equal(client.item('Task', row.id)?.fields.title, 'renamed');
  await client.confirmed(row.id);
  assert.deepEqual([service.field(row.id, 'title'), service.field(row.id, 'completed'), service.field(row.id, 'courseId')], ['renamed', true, course.id]);
  await until(() => tasks.get(row.id)?.version === service.items.get(row.id)?.version, 'the version of the service');
  await tasks.delete(row.id).isPersisted.promise;
  assert.equal(tasks.size, 0);
  await client.confirmed(row.id);
  assert.equal(service.items.get(row.id)?.status, 'TRASH');
  await client.close();
});

test('a collection works without a network, and is ready with what is stored', async () => {
  const service = new FakeService();
  const { client } = await open(service);
  service.handle = async () => {
    throw broken();
  };
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  const ready = tasks.preload();
  client.start();
  await ready;
  const row = newRow('Task', { title: 'offline' });
  await tasks.insert(row).isPersisted.promise;
  assert.equal(tasks.get(row.id)?.version, 0);
  service.handle = async (_, execute) => execute();
  client.wake();
  await client.confirmed(row.id);
  assert.equal(service.items.size, 1);
  await client.close();
});

test('the trash is a collection, too', async () => {
  const service = new FakeService();
  const [restored, deleted] = [service.createTask(), service.createTask()];
  const { client } = await connected(service);
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  const trash = createCollection(snapnoteCollectionOptions({ client, type: 'Task', status: 'TRASH' }));
  await Promise.all([tasks.preload(), trash.preload()]);
  tasks.delete([restored, deleted]);
  await until(() => trash.size === 2, 'trashed');
  await trash.update(restored, (draft) => {
    draft.status = 'ACTIVE';
    draft.title = 'back';
  }).isPersisted.promise;
  await trash.delete(deleted).isPersisted.promise;
  await Promise.all([client.confirmed(restored), client.confirmed(deleted)]);
  await until(() => trash.size === 0 && tasks.get(restored)?.title === 'back', 'restored');
  assert.deepEqual([...service.items.keys()], [restored]);
  await client.close();
});

test('a rejected write leaves the collection', async () => {
  const service = new FakeService();
  const { client, rejected } = await connected(service);
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  await tasks.preload();
  const row = newRow('Task', { title: ' ' });
  await tasks.insert(row).isPersisted.promise;
  await assert.rejects(client.confirmed(row.id), { name: 'Rejected' });
  await until(() => tasks.size === 0 && rejected.length === 1, 'rejected');
  await client.close();
});
