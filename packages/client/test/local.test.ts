// Operations that are answered from the client's items. `npm run compare` compares many queries with the service.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildSchema, isObjectType, parse, validate } from 'graphql';
import type { OfflineClient } from '../src/client.js';
import { NotLocal } from '../src/lists.js';
import { localOperation, type Data } from '../src/local.js';
import { graphcacheConfig } from '../src/urql.js';
import { connected, open } from './device.js';
import { FakeService } from './service.js';

const schema = buildSchema(readFileSync('../../schema.graphql', 'utf8'));

function compiled(client: OfflineClient, query: string, variables = {}) {
  const document = parse(query);
  assert.deepEqual(validate(schema, document), [], query);
  return localOperation(client, document, variables);
}

function read(client: OfflineClient, query: string, variables = {}): Data {
  const local = compiled(client, query, variables);
  assert(local.kind === 'query');
  return JSON.parse(JSON.stringify(local.read())) as Data;
}

async function run(client: OfflineClient, mutation: string, variables = {}): Promise<Data> {
  const local = compiled(client, mutation, variables);
  assert(local.kind === 'mutation');
  return JSON.parse(JSON.stringify(await local.run())) as Data;
}

test('a query that needs anything else is not answered at all, also if its lists are empty', async () => {
  const { client } = await open(new FakeService());
  for (const [query, reason] of [
    ['{ tasks { nodes { id createdAt } } }', 'Task.createdAt'],
    ['{ tasks { nodes { id } } me { id } }', 'Query.me'],
    ['{ tasks(after: "c") { nodes { id } } }', '`after`'],
    ['{ tasks { pageInfo { endCursor } } }', 'Cursors'],
    ['{ tasks { edges { cursor } } }', 'Cursors'],
    ['{ tasks(orderBy: { field: UPDATED_AT }) { nodes { id } } }', 'UPDATED_AT'],
    ['{ tasks(filter: { or: [{ titleContains: "x" }] }) { nodes { id } } }', 'titleContains'],
    ['{ courses { nodes { tasks { nodes { owner { id } } } } } }', 'Task.owner'],
    ['{ documents { nodes { ... on Item { updatedAt } } } }', 'Document.updatedAt'],
    ['mutation { updateTask(input: { id: "t", version: 1 }) { task { id } } }', '`version`'],
    ['mutation { createTask(input: { title: "T" }) { task { createdAt } } }', 'Task.createdAt'],
    ['mutation { createTask(input: { title: "T", dueOn: "2027-01-01", dueAt: "2027-01-01T00:00:00Z" }) { task { id } } }', 'due date'],
    ['{ tasks(first: 0) { nodes { id } } }', 'invalid'],
    ['mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }', 'incomplete'],
    ['mutation { emptyTrash { deletedIds } }', 'emptyTrash'],
    ['subscription { changes { cursor } }', 'Subscriptions'],
  ] as const) {
    assert.throws(() => compiled(client, query), (error) => error instanceof NotLocal && error.message.includes(reason), query);
  }
  await client.close();
});

test('mutations are stored, visible at once, and sent', async () => {
  const service = new FakeService();
  service.other('CreateTag', { id: 'x', name: 'Exam' });
  const { client } = await connected(service);
  const input = { title: 'T', dueOn: '2027-01-01', tagIds: ['x'], priority: 'HIGH', description: null, courseId: undefined };
  const ADD = `mutation Add($input: CreateTaskInput!) { added: createTask(input: $input) {
    task { ...T dueOn dueAt tags { name } priority } userErrors { code field message } __typename } } fragment T on Task { id title version }`;
  const { added } = (await run(client, ADD, { input })) as { added: { task: { id: string } } };
  const { id } = added.task;
  const task = { id, title: 'T', version: 0, dueOn: '2027-01-01', dueAt: null, tags: [{ name: 'Exam' }], priority: 'HIGH' };
  assert.deepEqual(added, { task, userErrors: [], __typename: 'TaskPayload' });
  await client.confirmed(id);
  assert.deepEqual([service.field(id, 'dueOn'), service.field(id, 'priority')], ['2027-01-01', 'HIGH']);
  const changed = await run(
    client,
    `mutation ($id: ID!) {
      updateTask(input: { id: $id, title: "B", dueAt: "2027-01-02T00:00:00Z", tagIds: null }) { task { title dueOn dueAt tags { id } } }
      completeTasks(input: { ids: [$id] }) { tasks { completed } }
      trashItems(input: { ids: [$id, $id] }) { items { __typename status ... on Task { title } } }
    }`,
    { id },
  );
  assert.deepEqual(changed, {
    updateTask: { task: { title: 'B', dueOn: null, dueAt: '2027-01-02T00:00:00Z', tags: [] } },
    completeTasks: { tasks: [{ completed: true }] },
    trashItems: { items: [{ __typename: 'Task', status: 'TRASH', title: 'B' }] },
  });
  await client.confirmed(id);
  assert.deepEqual([service.field(id, 'title'), service.field(id, 'completed'), service.items.get(id)?.status], ['B', true, 'TRASH']);
  await run(client, 'mutation ($id: ID!) { restoreItems(input: { ids: [$id] }) { items { id } } }', { id });
  await client.confirmed(id);
  assert.equal(service.items.get(id)?.status, 'ACTIVE');
  await client.close();
});

test('null clears a due date of the same kind', async () => {
  const { client } = await open(new FakeService());
  const id = await client.create('Task', { title: 'T', due: '2027-01-01' });
  const edit = async (fields: string) => {
    const { updateTask } = (await run(client, `mutation { updateTask(input: { id: "${id}", ${fields} }) { task { dueOn dueAt } } }`)) as { updateTask: { task: object } };
    return Object.values(updateTask.task);
  };
  assert.deepEqual(await edit('dueAt: null'), ['2027-01-01', null]);
  assert.deepEqual(await edit('title: "B"'), ['2027-01-01', null]);
  assert.deepEqual(await edit('dueOn: null'), [null, null]);
  assert.deepEqual(await edit('dueAt: "2027-01-02T00:00:00Z"'), [null, '2027-01-02T00:00:00Z']);
  assert.deepEqual(await edit('dueOn: null'), [null, '2027-01-02T00:00:00Z']);
  assert.deepEqual(await edit('dueAt: null, dueOn: null'), [null, null]);
  await client.close();
});

test('a deletion returns everything that it deletes', async () => {
  const service = new FakeService();
  const { client } = await open(service);
  const course = await client.create('Course', { name: 'C' });
  const task = await client.create('Task', { title: 'T', courseId: course });
  await client.trash(course);
  const { deleteItems } = await run(client, `mutation { deleteItems(input: { ids: ["${course}"] }) { deletedIds userErrors { code } } }`);
  assert.deepEqual(deleteItems, { deletedIds: [course, task], userErrors: [] });
  assert.equal(client.items().size, 0);
  await client.close();
});

test('a change without its item returns an error, and changes nothing', async () => {
  const { client } = await open(new FakeService());
  const [active, trashed] = [await client.create('Task', { title: 'A' }), await client.create('Task', { title: 'B' })];
  await client.trash(trashed);
  const codes = async (field: string) => {
    const { result } = (await run(client, `mutation { result: ${field} { userErrors { code field } } }`)) as { result: { userErrors: { code: string; field: string[] }[] } };
    return result.userErrors.map(({ code, field }) => `${code} ${field.join('.')}`);
  };
  const before = client.outbox().length;
  assert.deepEqual(await codes('updateTask(input: { id: "gone", title: "X" })'), ['NOT_FOUND input.id']);
  assert.deepEqual(await codes(`updateCourse(input: { id: "${active}", name: "X" })`), ['NOT_FOUND input.id']);
  assert.deepEqual(await codes(`updateTask(input: { id: "${trashed}", title: "X" })`), ['IN_TRASH input.id']);
  assert.deepEqual(await codes(`trashItems(input: { ids: ["${active}", "gone"] })`), ['NOT_FOUND input.ids.1']);
  assert.deepEqual(await codes(`deleteItems(input: { ids: ["${active}"] })`), ['NOT_IN_TRASH input.ids.0']);
  assert.deepEqual(await codes(`completeTasks(input: { ids: ["${trashed}"] })`), ['IN_TRASH input.ids.0']);
  assert.equal(client.outbox().length, before);
  await client.close();
});

test('variables, directives, aliases and nested lists', async () => {
  const { client } = await open(new FakeService());
  const course = await client.create('Course', { name: 'C' });
  for (const title of ['b', 'a', 'c']) await client.create('Task', { title, courseId: title === 'c' ? null : course, completed: title === 'b' });
  const query = `query ($open: Boolean = false, $with: Boolean!, $order: [TaskOrder!]) {
    all: tasks(orderBy: $order) { totalCount nodes { title id @skip(if: $with) } }
    open: tasks(first: 1, filter: { completed: $open }, orderBy: $order) { totalCount edges { node { title } } pageInfo { hasNextPage } }
    course(id: "${course}") { name openTaskCount tasks(orderBy: { field: TITLE }) { nodes { title ... @include(if: $with) { course { name } } } } }
  }`;
  assert.deepEqual(read(client, query, { with: true, order: { field: 'TITLE', direction: 'DESC' } }), {
    all: { totalCount: 3, nodes: [{ title: 'c' }, { title: 'b' }, { title: 'a' }] },
    open: { totalCount: 2, edges: [{ node: { title: 'c' } }], pageInfo: { hasNextPage: true } },
    course: { name: 'C', openTaskCount: 1, tasks: { nodes: [{ title: 'a', course: { name: 'C' } }, { title: 'b', course: { name: 'C' } }] } },
  });
  await client.close();
});

test('Graphcache knows all types without an id', () => {
  const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('__'));
  const roots = ['Query', 'Mutation', 'Subscription'];
  const embedded = types.filter((type) => isObjectType(type) && !('id' in type.getFields()) && !roots.includes(type.name)).map(({ name }) => name);
  assert.deepEqual(Object.keys(graphcacheConfig.keys).toSorted(), embedded.toSorted());
});
