// Installs the packed package into an empty folder and uses it from outside: with types for both ways to resolve modules, and at run time.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'snapnote-pack-'));
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const installed = join(folder, 'node_modules/@snapnote/client');
const { devDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

const APP = `
import { ApolloClient, ApolloLink, InMemoryCache } from '@apollo/client';
import { defaultOptions, followChanges, snapnoteLink, typePolicies } from '@snapnote/client/apollo';
import { graphcacheConfig, snapnoteExchange } from '@snapnote/client/urql';
import { Client, type Exchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { IndexedDbSessionStore, IndexedDbStore, MemoryStore, OfflineClient, Session, newId, type Conflict, type ItemOf, type Status } from '@snapnote/client';
import { FileSessionStore, FileStore } from '@snapnote/client/node';
import { SnapNoteProvider, useItems, useSyncState } from '@snapnote/client/react';
import { newRow, snapnoteCollectionOptions, type Row } from '@snapnote/client/tanstack-db';
import { createCollection } from '@tanstack/db';

export async function app(url: string) {
  const session = new Session({ url, store: new IndexedDbSessionStore() });
  const client = await OfflineClient.open({
    url, tokens: session, store: new IndexedDbStore('notes'),
    onConflict: ({ mine, field }: Conflict) => (field === 'title' ? mine : null),
    onRejected: (entry, errors) => console.error(entry.kind, errors[0]?.code),
  });
  const id: string = await client.create('Task', { title: 'T', priority: 'HIGH' });
  // @ts-expect-error A task has no name.
  await client.create('Task', { name: 'T' });
  // @ts-expect-error The title is missing.
  await client.create('Document', { courseId: id, originalText: '', formattedNote: '' });
  // @ts-expect-error There is no such priority.
  await client.update('Task', id, { priority: 'URGENT' });
  const task: ItemOf<'Task'> | undefined = client.item('Task', id);
  const due: string | null | undefined = task?.fields.due;
  const status: Status = client.status;
  const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
  tasks.insert(newRow('Task', { title: 'T' }));
  tasks.update(id, (draft) => {
    draft.completed = true;
    // @ts-expect-error \`completed\` is a boolean.
    draft.completed = 'yes';
  });
  const row: Row<'Task'> | undefined = tasks.get(id);
  const link: ApolloLink = snapnoteLink({ client, onRemote: (name, reason) => console.log(name?.length, reason.length) });
  const apollo = new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }), defaultOptions });
  const stop: () => void = followChanges(apollo, client);
  // @ts-expect-error The client is missing.
  snapnoteLink({});
  const exchange: Exchange = snapnoteExchange({ client, onRemote: (operation, reason) => console.log(operation.key, reason.length) });
  const urql = new Client({ url, exchanges: [exchange, cacheExchange(graphcacheConfig)], preferGetMethod: false });
  return { stop, urql, FileSessionStore, due, status, row, newId, FileStore, MemoryStore, SnapNoteProvider, useItems, useSyncState };
}
`;

const USE = `
import assert from 'node:assert';
import { MemoryStore, OfflineClient, newId } from '@snapnote/client';
import { FileStore } from '@snapnote/client/node';
import '@snapnote/client/react';
import '@snapnote/client/tanstack-db';
import { ApolloClient, gql, InMemoryCache } from '@apollo/client';
import { snapnoteLink } from '@snapnote/client/apollo';
import { snapnoteExchange } from '@snapnote/client/urql';
import { Client } from '@urql/core';
const tokens = { accessToken: async () => 'a', renew: async () => 'b' };
const options = { url: 'http://127.0.0.1:1/graphql', tokens, onConflict: ({ mine }) => mine, onRejected() {} };
const client = await OfflineClient.open({ ...options, store: new FileStore('notes.json') });
const id = await client.create('Task', { title: 'T' });
await client.close();
const again = await OfflineClient.open({ ...options, store: new FileStore('notes.json') });
assert.equal(again.item('Task', id).fields.title, 'T');
const query = gql('{ task(id: "' + id + '") { id title } }');
const apollo = new ApolloClient({ link: snapnoteLink({ client: again }), cache: new InMemoryCache() });
const urql = new Client({ url: options.url, exchanges: [snapnoteExchange({ client: again })], preferGetMethod: false });
again.start();
assert.equal((await apollo.query({ query })).data.task.title, 'T');
assert.equal((await urql.query(query, {}).toPromise()).data.task.title, 'T');
await again.close();
apollo.stop();
assert.equal((await OfflineClient.open({ ...options, store: new MemoryStore() })).items().size, 0);
await assert.rejects(import('@snapnote/client/dist/client.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
assert.match(newId(), /-7/);
`;

try {
  const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root));
  const unwanted = files.map(({ path }) => path).filter((path) => !/^dist\/[\w-]+\.(d\.ts|js)$|^(package\.json|README\.md|LICENSE)$/.test(path));
  if (unwanted.length) throw new Error(`The package must not contain ${unwanted}.`);
  const versions = ['typescript', 'react', '@types/react', '@types/node', '@tanstack/db', 'graphql', '@apollo/client', 'rxjs', '@urql/core', '@urql/exchange-graphcache', 'wonka'];
  const dependencies = Object.fromEntries(versions.map((name) => [name, devDependencies[name]]));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true, dependencies: { ...dependencies, '@snapnote/client': `file:${filename}` } }));
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline']);
  writeFileSync(join(folder, 'app.ts'), APP);
  writeFileSync(join(folder, 'use.mjs'), USE);
  for (const [module, moduleResolution] of [['esnext', 'bundler'], ['node16', 'node16']]) {
    // TanStack DB's own types do not support exactOptionalPropertyTypes, so libraries are not checked.
    run(join(folder, 'node_modules/.bin/tsc'), ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--lib', 'es2023,dom,dom.iterable', '--module', module, '--moduleResolution', moduleResolution, 'app.ts']);
  }
  run(process.execPath, ['use.mjs']);
  const isUntyped = (file) => /\bany\b/.test(readFileSync(join(installed, file), 'utf8').replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, ''));
  const untyped = files.map(({ path }) => path).filter((path) => path.endsWith('.d.ts') && isUntyped(path));
  if (untyped.length) throw new Error(`The types contain \`any\`: ${untyped}`);
  console.log(`${filename}: installed, types checked with bundler and node16, and used.`);
} finally {
  rmSync(folder, { recursive: true });
}
