// Runs the client matrix: generates the types of each client from schema.graphql, checks them, starts a service on a free port with an empty
// database, and runs each client's program against it. Prints a line per client. Fails if one of them fails.
// `node run.mjs [CLIENT …]` runs only these clients. PROGRAM is the service's program (target/debug/snapnote by default).
// SNAPNOTE_TESTS_PYTHON is the Python that has gql (python3 by default).
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@babel/core';
import { minifyIntrospectionQuery } from '@urql/introspection';
import * as esbuild from 'esbuild';
import { buildSchema, introspectionFromSchema } from 'graphql';
import { output as commandOutput, start, target as targetFolder } from '../service.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const modules = join(folder, '../node_modules');
const python = process.env.SNAPNOTE_TESTS_PYTHON ?? 'python3';
const read = (path) => readFileSync(join(folder, path), 'utf8');

const output = (command, options, seconds) => commandOutput(command, options, { cwd: folder, seconds });
const target = targetFolder();
const tool = (name, ...options) => output(join(modules, '.bin', name), options, 300);
const tada = (...command) => tool('gql.tada', ...command, '--tsconfig', 'tsconfig.gql-tada.json');
const node = (file) => (url) => output(process.execPath, [join(folder, file), url], 120);
const npm = (name) => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version;

const clients = {
  apollo: { title: `Apollo Client ${npm('@apollo/client')}`, run: node('built/apollo.mjs') },
  graphcache: { title: `urql ${npm('@urql/core')} with Graphcache ${npm('@urql/exchange-graphcache')}`, run: node('built/graphcache.mjs') },
  'gql-tada': { title: `gql.tada ${npm('gql.tada')} with urql ${npm('@urql/core')}`, run: node('built/gql-tada.mjs') },
  'graphql-request': { title: `graphql-request ${npm('graphql-request')}`, run: node('built/graphql-request.mjs') },
  relay: { title: `Relay ${npm('relay-runtime')}`, run: node('built/relay.cjs') },
  python: {
    title: `gql ${/^gql\b.*==(\S+)$/m.exec(read('../requirements.txt'))?.[1]} (Python)`,
    run: (url) => output(python, ['clients/python.py', url], 120),
  },
  rust: {
    title: `graphql_client ${/name = "graphql_client"\nversion = "(.*)"/.exec(read('rust/Cargo.lock'))?.[1]} (Rust)`,
    run: async (url) => {
      await compiling;
      await output(join(target, 'rust-client/debug/snapnote-rust-client'), [url], 120);
    },
  },
};

/** Transforms Relay's `graphql` tags, as the bundler of an application does. */
const relayTags = {
  name: 'relay-tags',
  setup(build) {
    build.onLoad({ filter: /clients\/relay\/.*\.tsx$/ }, ({ path }) => {
      const { code } = esbuild.transformSync(readFileSync(path, 'utf8'), { loader: 'tsx', jsx: 'automatic', target: 'es2022' });
      const artifactDirectory = join(folder, 'generated/relay');
      const plugins = [['relay', { artifactDirectory, eagerEsModules: true, schema: join(folder, '../../../schema.graphql') }]];
      return { contents: transformSync(code, { cwd: folder, filename: path, plugins, configFile: false, babelrc: false }).code, loader: 'js' };
    });
  },
};

/** The types of all clients, each by its own tool, then the check by TypeScript, then the programs. */
async function build() {
  rmSync(join(folder, 'generated'), { recursive: true, force: true });
  for (const path of ['generated/graphcache', 'generated/relay']) mkdirSync(join(folder, path), { recursive: true });
  const introspection = minifyIntrospectionQuery(introspectionFromSchema(buildSchema(read('../../../schema.graphql'))));
  writeFileSync(join(folder, 'generated/graphcache/introspection.json'), JSON.stringify(introspection));
  await tool('relay-compiler', 'relay.config.json');
  await Promise.all([tool('graphql-codegen', '--config', 'codegen.mjs'), tada('generate-output')]);
  await Promise.all([
    output(process.execPath, [join(modules, 'typescript-7/bin/tsc')], 300),
    tada('check', '--fail-on-warn'),
  ]);
  const shared = { absWorkingDir: folder, bundle: true, packages: 'external', platform: 'node', logLevel: 'silent', outdir: 'built' };
  const entryPoints = ['apollo', 'graphcache', 'gql-tada', 'graphql-request'].map((name) => `clients/${name}.ts`);
  await esbuild.build({ ...shared, entryPoints, format: 'esm', outExtension: { '.js': '.mjs' } });
  // relay-runtime and react-relay are CommonJS.
  const relay = { format: 'cjs', jsx: 'automatic', plugins: [relayTags], outExtension: { '.js': '.cjs' } };
  await esbuild.build({ ...shared, ...relay, entryPoints: { relay: 'clients/relay/Tasks.tsx' } });
}

const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (!clients[name]) throw new Error(`there is no client ${name}; the clients are ${Object.keys(clients).join(', ')}`);
}
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const began = performance.now();
const starting = start(process.env.PROGRAM ?? join(target, 'debug/snapnote'));
starting.catch(() => {}); // Reported when the programs need the service.
const isChosen = (name) => chosen.length === 0 || chosen.includes(name);
// Compiles while the other clients run. The types of its operations are made from schema.graphql by a macro.
const compiling = isChosen('rust')
  ? output('cargo', ['build', '--quiet', '--locked', '--manifest-path', 'rust/Cargo.toml', '--target-dir', join(target, 'rust-client')], 600)
  : undefined;
compiling?.catch(() => {}); // Reported as a failure of the client.
let failures = 0;
try {
  await build();
  console.log(`${'types and programs'.padEnd(44)} built in ${seconds(began)}`);
  const { url } = await starting;
  for (const [name, { title, run }] of Object.entries(clients)) {
    if (!isChosen(name)) continue;
    const since = performance.now();
    try {
      await run(url);
      console.log(`${title.padEnd(44)} passed in ${seconds(since)}`);
    } catch (error) {
      failures += 1;
      console.log(`${title.padEnd(44)} FAILED in ${seconds(since)}\n${error.message}`);
    }
  }
} catch (error) {
  failures += 1;
  console.log(error.message);
} finally {
  await starting.then(({ stop }) => stop(), () => {});
}
console.log(failures === 0 ? `All clients work (${seconds(began)}).` : 'The client matrix failed.');
process.exit(failures === 0 ? 0 : 1);
