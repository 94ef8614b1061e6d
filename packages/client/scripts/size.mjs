// Prints the sizes of what an app downloads, minified and compressed, and fails if the core is larger than 15 KB.

import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MAXIMUM = 15_000;

const entries = {
  'core: everything': "export * from '@snapnote/client';",
  'OfflineClient, Session, IndexedDB': "export { IndexedDbSessionStore, IndexedDbStore, OfflineClient, Session } from '@snapnote/client';",
  'Session alone': "export { Session } from '@snapnote/client';",
  'newId alone': "export { newId } from '@snapnote/client';",
  '/react, without the core': "export * from '@snapnote/client/react';",
  '/tanstack-db, without the core': "export * from '@snapnote/client/tanstack-db';",
  '/apollo, without the core': "export * from '@snapnote/client/apollo';",
  '/urql, without the core': "export * from '@snapnote/client/urql';",
};

let core = 0;
for (const [name, contents] of Object.entries(entries)) {
  const isAdapter = name.startsWith('/');
  const libraries = ['react', 'react/jsx-runtime', '@tanstack/db', '@apollo/client', '@urql/core', 'wonka'];
  const external = [...libraries, ...(isAdapter ? ['./index.js', './items.js', './outbox.js'] : [])];
  const stdin = { contents, resolveDir: new URL('..', import.meta.url).pathname };
  const { outputFiles } = await build({ stdin, bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, external });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  core ||= size;
  console.log(`${String(size).padStart(6)} bytes  ${name}`);
}
if (core > MAXIMUM) {
  console.error(`The core has ${core} bytes; the maximum is ${MAXIMUM}.`);
  process.exit(1);
}
