// Runs the client matrix: generates the types of each client from schema.graphql, checks them, starts a service on a free port with an empty
// database, and runs each client's program against it. Prints a line per client. Fails if one of them fails.
// `node run.mjs [CLIENT …]` runs only these clients. PROGRAM is the service's program (target/debug/snapnote by default).
// SNAPNOTE_TESTS_PYTHON is the Python that has gql (python3 by default).
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@babel/core';
import { minifyIntrospectionQuery } from '@urql/introspection';
import * as esbuild from 'esbuild';
import { buildSchema, introspectionFromSchema } from 'graphql';

const folder = fileURLToPath(new URL('.', import.meta.url));
const modules = join(folder, '../node_modules');
const python = process.env.SNAPNOTE_TESTS_PYTHON ?? 'python3';
const read = (path) => readFileSync(join(folder, path), 'utf8');

/** Runs a command, and resolves with its output. Rejects with its output if it fails or takes more than `seconds`. */
function output(command, options, seconds) {
  return new Promise((done, failed) => {
    const child = spawn(command, options, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const timer = setTimeout(() => {
      text += `It did not finish within ${seconds} s.`;
      child.kill('SIGKILL');
    }, seconds * 1000);
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    child.on('error', (error) => failed(new Error(`${command} cannot be run: ${error.message}`)));
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) done(text.trim());
      else failed(new Error(`${[command, ...options].join(' ')} failed:\n${text}`));
    });
  });
}
/** The folder of Cargo's output. */
const target = JSON.parse(
  execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps', '--offline'], {
    cwd: join(folder, '../../..'), maxBuffer: 2 ** 26,
  }),
).target_directory;
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

/** Starts the service, and resolves with its URL and a function that stops it. */
async function start() {
  const program = process.env.PROGRAM ?? join(target, 'debug/snapnote');
  const data = mkdtempSync(join(tmpdir(), 'snapnote-clients-'));
  chmodSync(data, 0o755); // PostgreSQL runs under another account if this runs as root.
  const env = { ...process.env, SNAPNOTE_EMBEDDED: 'true', SNAPNOTE_DATA_DIR: join(data, 'data'), SNAPNOTE_LISTEN: '127.0.0.1:0' };
  const child = spawn(program, ['serve'], { cwd: data, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const ended = new Promise((done) => child.on('close', done));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  const url = await new Promise((done, failed) => {
    const more = (text) => {
      log += text;
      const address = /^API +(http\S+)/m.exec(log)?.[1];
      if (address) done(address);
    };
    child.stdout.on('data', more);
    child.stderr.on('data', more);
    child.on('error', failed);
    void ended.then(() => failed(new Error(`the service ended:\n${log}`)));
    setTimeout(() => failed(new Error(`the service did not start within 300 s:\n${log}`)), 300_000).unref();
  });
  return { url, stop };
}

const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (!clients[name]) throw new Error(`there is no client ${name}; the clients are ${Object.keys(clients).join(', ')}`);
}
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const began = performance.now();
const starting = start();
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
