// Compares local answers with those of the service: npm run compare -- URL
// It signs up a new user with random items, and sends each query to both. Exits with 1 if an answer differs.

import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { parse } from 'graphql';

const [url] = process.argv.slice(2);
const root = new URL('../', import.meta.url).pathname;
const contents = "export * from './src/index.js'; export { localOperation } from './src/local.js';";
const outfile = `${root}build/compare.js`;
await build({ stdin: { contents, resolveDir: root }, bundle: true, packages: 'external', platform: 'node', format: 'esm', outfile, ignoreAnnotations: true });
const { localOperation, MemorySessionStore, MemoryStore, OfflineClient, Session } = await import(outfile);

const session = new Session({ url, store: new MemorySessionStore() });
const errors = await session.signUp({ email: `compare-${Date.now()}@example.com`, password: 'correct horse', name: 'Ada' });
if (errors.length) throw new Error(errors[0].message);
const { WebSocket = (await import('../../../examples/offline/node_modules/ws/wrapper.mjs')).default } = globalThis;
const client = await OfflineClient.open({ url, tokens: session, store: new MemoryStore(), webSocket: WebSocket, onConflict: ({ mine }) => mine });
client.start();

let state = 1;
const random = (sides) => (state = (state * 48271) % 2147483647) % sides;
const pick = (all) => all[random(all.length)];
const words = ['Éclair', 'eclair', 'Zebra', 'apple', 'Apple', 'Ångström', '10', '9', 'über', 'Uber', 'a b', 'a-b', 'ab'];
/** Creates an item. Ids have milliseconds, so items that are created in the same one have no order. */
const create = async (type, fields) => {
  await new Promise((done) => setTimeout(done, 2));
  return client.create(type, fields);
};
const tags = [];
for (const name of ['Exam', 'äußerst', 'urgent']) tags.push(await create('Tag', { name, color: '#112233' }));
const courses = [];
for (const name of ['Algebra', 'analysis', 'Öl']) courses.push(await create('Course', { name, description: name }));
const tasks = [];
for (let index = 0; index < 40; index += 1) {
  const due = pick([null, '2027-01-05', `2027-01-0${1 + random(9)}T0${random(10)}:00:00+01:00`]);
  const tagIds = tags.filter(() => random(2)).sort();
  const position = pick([null, 'a0', 'a1', 'Zz', 'b0']);
  const fields = { title: `${pick(words)} ${index}`, courseId: pick([null, ...courses]), priority: pick(['LOW', 'NORMAL', 'HIGH']), due, tagIds, position };
  tasks.push(await create('Task', { ...fields, completed: random(3) === 0 }));
}
const documents = [];
for (let index = 0; index < 8; index += 1) {
  const fields = { title: pick(words), courseId: pick(courses), originalText: 'o', formattedNote: '**n**', metadata: { a: [index] } };
  documents.push(await create('Document', { ...fields, tagIds: tags.filter(() => random(2)).sort() }));
}
for (const id of [tasks[3], tasks[7], documents[1], courses[2]]) await client.trash(id);
for (const id of [tasks.at(-1), courses[2], documents.at(-1)]) await client.confirmed(id);
// Items of a trashed course follow it in the background of the service.
await new Promise((done) => setTimeout(done, 1_500));

const TASK = '__typename id version status title courseId description completed priority dueAt dueOn position tags { name id } course { id name } trashedWith { id }';
const list = (args, selection = `totalCount nodes { ${TASK} }`) => `{ tasks${args ? `(${args})` : ''} { ${selection} } }`;
const filters = [
  '{}', '{ status: TRASH }', '{ status: null }', '{ completed: true }', '{ completed: null }', '{ priority: [HIGH, LOW] }', '{ priority: [] }',
  '{ courseId: null }', `{ courseId: "${courses[0]}" }`, `{ courseIds: ["${courses[0]}", "${courses[1]}"] }`, '{ hasCourse: true }', '{ hasCourse: false }',
  '{ hasDueDate: true }', '{ hasDueDate: false }', '{ dueAfter: "2027-01-05T00:00:00Z" }', '{ dueBefore: "2027-01-05T00:00:00Z" }',
  `{ tagIds: ["${tags[0]}"] }`, `{ ids: ["${tasks[0]}", "${tasks[3]}"] }`, '{ or: [{ completed: true }, { priority: [HIGH] }] }',
  '{ and: [{ completed: false }, { hasCourse: true }] }', '{ not: { completed: true } }', '{ status: null, not: { status: ACTIVE } }', '{ or: [] }', '{ and: [] }', '{ not: {} }',
  // Single values count as lists.
  '{ priority: HIGH }', `{ ids: "${tasks[0]}" }`, `{ tagIds: "${tags[1]}" }`, '{ or: { completed: true } }',
];
const orders = ['DUE_AT', 'POSITION', 'PRIORITY', 'TITLE', 'CREATED_AT'].flatMap((field) => ['ASC', 'DESC', 'null'].map((direction) => `{ field: ${field}, direction: ${direction} }`));
const queries = [
  list(''),
  ...filters.map((filter) => list(`first: 100, filter: ${filter}`)),
  ...orders.map((order) => list(`first: 100, orderBy: ${order}`, 'nodes { id title dueAt dueOn position priority }')),
  list('first: 100, orderBy: [{ field: PRIORITY }, { field: TITLE }]', 'nodes { id }'),
  list('first: 100, orderBy: [{ field: POSITION }, { field: DUE_AT, direction: DESC }]', 'nodes { id }'),
  list('first: 7, offset: 3', 'totalCount nodes { id } edges { node { id } } pageInfo { hasNextPage hasPreviousPage }'),
  list('first: 100, offset: 30', 'pageInfo { hasNextPage hasPreviousPage } edges { node { title } }'),
  `{ task(id: "${tasks[1]}") { ...on Item { id version } ...on CourseItem { title tags { id } } ...T } } fragment T on Task { done: completed course { name openTaskCount documentCount } }`,
  `{ task(id: "${documents[0]}") { id } document(id: "${documents[0]}") { id title originalText formattedNote metadata course { name } tags { name color } status } }`,
  `{ course(id: "${courses[0]}") { name description color icon openTaskCount documentCount tasks(orderBy: { field: TITLE }) { totalCount nodes { id title } } documents(orderBy: { field: TITLE }) { nodes { id } } } }`,
  '{ tags(orderBy: { field: NAME }) { nodes { id name color openTaskCount documentCount tasks(first: 100, orderBy: { field: TITLE }) { nodes { id } } documents(orderBy: { field: CREATED_AT }) { totalCount } } } }',
  '{ courses(orderBy: { field: NAME, direction: DESC }, filter: { status: null }) { nodes { id name status } } documents(first: 100) { nodes { id title } } }',
  `query ($f: TaskFilter = { completed: true }, $n: Int, $s: Boolean = false) { tasks(filter: $f, first: $n) { __typename nodes { id title @skip(if: $s) version @include(if: $s) } } }`,
];
let different = 0;
for (const query of queries) {
  const local = localOperation(client, parse(query)).read();
  const remote = await client.request(query);
  try {
    assert.deepEqual(JSON.parse(JSON.stringify(local)), remote);
  } catch (error) {
    different += 1;
    console.error(`${query}\n${error.message.slice(0, 1500)}\n`);
  }
}
console.log(`${queries.length} queries, ${different} different answers`);
await client.close();
process.exit(different ? 1 : 0);
