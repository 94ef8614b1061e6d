// Changes that the service rejects.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connected, field, open, settled } from './device.js';
import { Failure, FakeService, hold } from './service.js';

test('rejected changes are reported, and the client shows the state of the service', async () => {
  const service = new FakeService();
  service.other('CreateTag', { id: 'x', name: 'Exam' });
  const task = service.createTask();
  const { client, rejected, store } = await connected(service);
  const tag = await client.create('Tag', { name: 'Exam' });
  await assert.rejects(client.confirmed(tag), { name: 'Rejected' });
  assert(!client.items().has(tag));
  await client.stop();
  const blank = await client.create('Task', { title: ' ' });
  await client.trash(blank);
  await client.update('Task', task, { title: ' ' });
  client.start();
  await settled(client);
  assert.deepEqual(rejected.map(({ entry, codes }) => `${entry.kind} ${codes}`), ['create TAKEN', 'create BLANK', 'trash BLANK', 'update BLANK']);
  assert.deepEqual([client.items().has(blank), field(client, task, 'title')], [false, 'T']);
  // The user's work is kept until the app dismisses it, also after a restart.
  const again = await open(service, {}, store);
  assert.deepEqual(again.client.rejections().map(({ entry }) => entry.kind), ['create', 'create', 'trash', 'update']);
  for (const rejection of again.client.rejections()) await again.client.dismiss(rejection);
  assert.deepEqual((await store.load()).rejected, []);
  await again.client.close();
  await client.close();
});

test('an update after a rejected one is based on the value of the service', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client, rejected, conflicts } = await connected(service);
  const { arrived, release } = hold(service, 'UpdateTask');
  await client.update('Task', task, { title: ' ' });
  await arrived;
  await client.update('Task', task, { title: 'B' });
  release();
  await settled(client);
  assert.deepEqual([rejected.length, conflicts.length, service.field(task, 'title')], [1, 0, 'B']);
  await client.close();
});

test('an error that a retry cannot fix rejects the change, and others are repeated', async () => {
  const service = new FakeService();
  const { client, rejected } = await connected(service);
  const codes = ['UNAVAILABLE', 'BAD_USER_INPUT'];
  service.handle = async (request, execute) => {
    const code = request.name === 'CreateTask' ? codes.shift() : undefined;
    if (code) throw new Failure(code);
    return execute();
  };
  await client.create('Task', { title: 'A' });
  const second = await client.create('Task', { title: 'B' });
  await settled(client);
  assert.deepEqual(rejected.map((one) => one.codes), [['BAD_USER_INPUT']]);
  assert.deepEqual([...service.items.keys()], [second]);
  await client.close();
});
