// A client and a service whose responses are late, lost or rejected.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore, type Batch, type Commit } from '../src/store.js';
import { connected, field, open, OpenStore, settled, statusOf, until } from './device.js';
import { Failure, FakeService, hold, lose, type Request } from './service.js';

test('changes are visible at once, stored, sent in order, and confirmed', async () => {
  const service = new FakeService();
  const { client } = await connected(service);
  const course = client.create('Course', { name: 'Algebra' });
  assert.equal(client.items().size, 1);
  const task = await client.create('Task', { title: 'T', courseId: await course, completed: true });
  await client.update('Task', task, { due: '2027-01-01' });
  await client.confirmed(task);
  assert.deepEqual([service.field(task, 'dueOn'), service.field(task, 'completed'), service.field(task, 'courseId')], ['2027-01-01', true, await course]);
  assert.equal(client.item('Task', task)?.version, service.items.get(task)?.version);
  assert.equal(client.item('Course', task), undefined);
  await client.trash(task);
  assert.equal(statusOf(client, task), 'TRASH');
  await client.delete(task);
  await client.confirmed(task);
  assert(!service.items.has(task) && !client.items().has(task));
  await assert.rejects(client.update('Task', task, { title: 'X' }), /no active Task/);
  await client.close();
});

test('everything is read once, also the trash, and then changes arrive live', async () => {
  const service = new FakeService();
  const [active, trashed] = [service.createTask(), service.createTask()];
  service.other('TrashItems', { ids: [trashed] });
  const { client } = await open(service);
  assert(!client.isLoaded);
  client.start();
  await until(() => client.status === 'live');
  assert(client.isLoaded);
  assert.deepEqual([statusOf(client, active), statusOf(client, trashed)], ['ACTIVE', 'TRASH']);
  service.other('UpdateTask', { id: active, title: 'elsewhere' });
  await until(() => field(client, active, 'title') === 'elsewhere');
  await client.close();
});

test('an item that is deleted while the lists are read does not remain', async () => {
  const service = new FakeService();
  const [course, kept] = ['c', 'k'];
  for (const id of [course, kept]) service.other('CreateCourse', { id, name: id });
  service.handle = async (request, execute) => {
    if (request.name === 'AllTasks') service.other('DeleteItems', { ids: [course] });
    return execute();
  };
  const { client } = await connected(service);
  assert.deepEqual([...client.items().keys()], [kept]);
  await client.close();
});

test('a late response with an older item changes nothing', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client } = await connected(service);
  const { arrived, release } = hold(service, 'UpdateTask');
  await client.update('Task', task, { priority: 'HIGH' });
  await arrived;
  service.other('UpdateTask', { id: task, title: 'newer' });
  await until(() => field(client, task, 'title') === 'newer');
  release();
  await settled(client);
  assert.deepEqual([field(client, task, 'title'), client.items().get(task)?.version], ['newer', 3]);
  await client.close();
});

test('a late response does not restore a deleted item', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client } = await connected(service);
  const { arrived, release } = hold(service, 'UpdateTask');
  await client.update('Task', task, { priority: 'HIGH' });
  await arrived;
  service.other('DeleteItems', { ids: [task] });
  await until(() => !client.items().has(task));
  release();
  await settled(client);
  assert(!client.items().has(task));
  await client.close();
});

test('a tag leaves its items with the trash, and is on them again when it is restored', async () => {
  const service = new FakeService();
  service.other('CreateTag', { id: 'x', name: 'Exam' });
  const task = service.createTask({ tagIds: ['x'] });
  const { client } = await connected(service);
  assert.deepEqual(field(client, task, 'tagIds'), ['x']);
  service.other('TrashItems', { ids: ['x'] });
  await until(() => statusOf(client, 'x') === 'TRASH');
  assert.deepEqual(field(client, task, 'tagIds'), []);
  service.other('RestoreItems', { ids: ['x'] });
  await until(() => (field(client, task, 'tagIds') as string[]).length === 1);
  await settled(client);
  service.other('DeleteItems', { ids: ['x'] });
  await until(() => !client.items().has('x'));
  assert.deepEqual(field(client, task, 'tagIds'), []);
  await client.close();
});

test('after an expired cursor everything is read again, and the outbox stays', async () => {
  const service = new FakeService();
  const [gone, kept] = [service.createTask(), service.createTask()];
  const { client } = await connected(service);
  await client.stop();
  service.other('DeleteItems', { ids: [gone] });
  service.expireCursors();
  await client.update('Task', kept, { title: 'mine' });
  client.start();
  await settled(client);
  assert.deepEqual([[...client.items().keys()], service.field(kept, 'title')], [[kept], 'mine']);
  await client.close();
});

test('a crash at any moment loses no change and repeats none', async () => {
  class CrashingStore extends MemoryStore {
    constructor(private readonly inner: OpenStore, private left: number) {
      super();
    }
    override load() {
      return this.inner.load();
    }
    override async commit(change: Parameters<MemoryStore['commit']>[0]): Promise<Commit> {
      if (this.left-- <= 0) throw new Error('crash');
      return this.inner.commit(change as () => Batch);
    }
  }
  for (let commits = 1; commits < 14; commits += 1) {
    const service = new FakeService();
    const theirs = service.createTask();
    const store = new OpenStore();
    const first = await open(service, { store: new CrashingStore(store, commits) });
    first.client.start();
    const mine = await first.client.create('Task', { title: 'mine' }).catch(() => undefined);
    await first.client.update('Task', theirs, { title: 'edited' }).catch(() => {});
    await until(() => first.client.status === 'live' || first.client.status === 'broken');
    service.other('UpdateTask', { id: theirs, priority: 'HIGH' });
    if (mine) await first.client.trash(mine).catch(() => {});
    await until(() => first.client.status === 'broken' || first.client.outbox().length === 0);
    await first.client.close();
    service.disconnect();
    const { client } = await connected(service, {}, store);
    await settled(client);
    for (const id of service.items.keys()) {
      assert.equal(client.items().get(id)?.version, service.items.get(id)?.version, `after ${commits} commits`);
      assert(['CREATED', 'CREATED UPDATED', 'CREATED TRASHED', 'CREATED UPDATED UPDATED'].includes(service.history(id)), service.history(id));
    }
    assert.equal(client.items().size, service.items.size);
    await client.close();
  }
});

test('an entry is stored as sent before its request', async () => {
  const service = new FakeService();
  const { client, store } = await connected(service);
  let sent: number | undefined;
  service.handle = async (request, execute) => {
    if (request.name === 'CreateTask') sent = store.now.outbox[0]?.sent;
    return execute();
  };
  await client.confirmed(await client.create('Task', { title: 'T' }));
  assert.equal(sent, 0);
  await client.close();
});

test('missed changes are read before anything is sent again', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client } = await connected(service);
  lose(service, 'TrashItems');
  await client.stop();
  await client.trash(task);
  client.start();
  await until(() => service.history(task).includes('TRASHED'));
  service.other('RestoreItems', { ids: [task] });
  await settled(client);
  assert.equal(service.history(task), 'CREATED TRASHED RESTORED');
  assert.equal(statusOf(client, task), 'ACTIVE');
  const after = service.operations.slice(service.operations.indexOf('TrashItems') + 1);
  assert.equal(after.find((name) => name !== 'Feed'), 'Changes');
  await client.close();
});

test('a failure of the feed ends a request, and nothing is sent before missed changes are read', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client } = await connected(service);
  const { arrived } = hold(service, 'TrashItems');
  await client.trash(task);
  await arrived;
  service.operations.length = 0;
  service.disconnect();
  await settled(client);
  assert.equal(service.operations.find((name) => name !== 'Feed'), 'Changes');
  assert.equal(service.history(task), 'CREATED TRASHED');
  await client.close();
});

test('a create whose response was lost is not repeated after its deletion', async () => {
  const service = new FakeService();
  const { client, rejected } = await connected(service);
  lose(service, 'CreateTask');
  const id = await client.create('Task', { title: 'T' });
  await until(() => service.items.has(id));
  service.other('DeleteItems', { ids: [id] });
  await settled(client);
  assert.deepEqual([service.history(id), rejected.length, client.items().size], ['CREATED DELETED', 0, 0]);
  await client.close();
});

test('an update whose response was lost does not conflict with itself', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client, conflicts } = await connected(service);
  lose(service, 'UpdateTask');
  await client.update('Task', task, { title: 'one' });
  await until(() => service.field(task, 'title') === 'one');
  await client.update('Task', task, { title: 'two' });
  await settled(client);
  assert.deepEqual([service.field(task, 'title'), service.history(task), conflicts], ['two', 'CREATED UPDATED UPDATED', []]);
  await client.close();
});

test('an update that the service did not receive is sent with the current version', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client, conflicts } = await connected(service);
  const versions: unknown[] = [];
  const { handle } = service;
  service.handle = async (request: Request, execute) => {
    if (request.name === 'UpdateTask') versions.push(request.variables.input.version);
    // Another device is faster, once.
    if (versions.length === 1 && request.name === 'UpdateTask') service.other('UpdateTask', { id: task, priority: 'HIGH' });
    return handle(request, execute);
  };
  await client.update('Task', task, { title: 'mine' });
  await settled(client);
  assert.deepEqual([versions, conflicts], [[1, 2], []]);
  assert.deepEqual([service.field(task, 'title'), service.field(task, 'priority')], ['mine', 'HIGH']);
  await client.close();
});

test('a conflict is resolved once, with the value that was chosen', async () => {
  const service = new FakeService();
  const task = service.createTask();
  let asked = 0;
  const onConflict = ({ mine, theirs, mayBeApplied }: { mine: unknown; theirs: unknown; mayBeApplied: boolean }) => {
    asked += 1;
    return `${mine} (${theirs}) ${mayBeApplied}`;
  };
  const { client } = await connected(service, { onConflict });
  const { handle } = service;
  service.handle = async (_, execute) => {
    service.handle = handle;
    // Two changes, so `mayBeApplied` would be true if a response had been lost.
    for (const title of ['first', 'theirs']) service.other('UpdateTask', { id: task, title });
    return execute();
  };
  await client.update('Task', task, { title: 'mine' });
  await settled(client);
  assert.deepEqual([asked, service.field(task, 'title')], [1, 'mine (theirs) false']);
  await client.close();
});

test('after a lost response, a CONFLICT does not hide that the update may be applied', async () => {
  const service = new FakeService();
  const task = service.createTask();
  const { client, conflicts } = await connected(service);
  lose(service, 'UpdateTask');
  await client.update('Task', task, { title: 'mine', priority: 'HIGH' });
  await until(() => service.field(task, 'title') === 'mine');
  const attempts: number[] = [];
  const { handle } = service;
  service.handle = async (request, execute) => {
    if (request.name === 'UpdateTask' && attempts.push(1) === 1) service.other('UpdateTask', { id: task, title: 'based on mine' });
    return handle(request, execute);
  };
  // Another device reverts one field, so that the update is sent again.
  service.other('UpdateTask', { id: task, priority: 'NORMAL' });
  await settled(client);
  assert.deepEqual(conflicts.map(({ field: name, mayBeApplied }) => [name, mayBeApplied]), [['title', true]]);
  await client.close();
});

test('a page that is too large is read in smaller pages', async () => {
  const service = new FakeService();
  service.createTask();
  const sizes: unknown[] = [];
  service.handle = async (request, execute) => {
    const { first } = request.variables as unknown as { first: number };
    if (request.name === 'AllTasks' && sizes.push(first) && first > 30) throw new Failure('RESPONSE_TOO_LARGE');
    return execute();
  };
  const { client } = await connected(service);
  assert.deepEqual([sizes, client.items().size], [[100, 50, 25], 1]);
  await client.close();
});

test('a change that cannot be stored is reported, and not shown', async () => {
  class FullStore extends OpenStore {
    isFull = false;
    protected override save(): void {
      if (this.isFull) throw new Error('The disk is full.');
    }
  }
  const service = new FakeService();
  const store = new FullStore();
  const { client } = await open(service, {}, store);
  store.isFull = true;
  await assert.rejects(client.create('Task', { title: 'T' }), /full/);
  assert.deepEqual([client.items().size, client.outbox().length], [0, 0]);
  client.start();
  await until(() => client.status === 'broken');
  await client.close();
});

test('the session ends, and the outbox waits for the next one', async () => {
  const service = new FakeService();
  const { client } = await connected(service);
  service.accepted.clear();
  service.handle = async (request, execute) => (request.name === 'Refresh' ? { result: { accessToken: null, refreshToken: null, userErrors: [{ code: 'INVALID_TOKEN' }] } } : execute());
  await client.create('Task', { title: 'T' });
  await until(() => client.status === 'signed out');
  assert.equal(client.outbox().length, 1);
  await client.close();
});
