// What the tests run against: a service with an empty database, an identity provider, and the built app.

import { spawn } from 'node:child_process';
import { chmodSync, createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProvider } from './provider.mjs';

const root = new URL('../../', import.meta.url).pathname;
const repository = new URL('../../', `file://${root}`).pathname;
const [servicePort, appPort, providerPort] = await freePorts(3);

export const SERVICE = `http://127.0.0.1:${servicePort}`;
export const APP = `http://127.0.0.1:${appPort}`;
const ISSUER = `http://127.0.0.1:${providerPort}`;
/** The folder of the built app. Each run has its own. */
export const builtFiles = join(root, `dist/test-${process.pid}`);
const data = mkdtempSync(join(tmpdir(), 'snapnote-web-'));
// As root, the service starts the embedded PostgreSQL with another account.
chmodSync(data, 0o755);
/** The folder of the service's emails, which it makes with the first one. */
export const MAILS = join(data, 'data/mails');
const CLIENT_ID = 'snapnote-web';

const issuers = `[[issuer]]
name = "campus"
kind = "oidc"
issuer = "${ISSUER}"
audience = "snapnote"
`;

/** Ports that no program uses. */
async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, () => new Promise((done) => {
    const server = createSocketServer().listen(0, '127.0.0.1', () => done(server));
  })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function run(command, parameters, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ${parameters.join(' ')} failed with ${code}`))));
  });
}

/** Builds the app for the ports of the tests. */
async function build() {
  const providers = JSON.stringify([{ name: 'campus', label: 'Campus ID', issuer: ISSUER, clientId: CLIENT_ID }]);
  const env = { ...process.env, VITE_SERVICE: SERVICE, VITE_PROVIDERS: providers };
  await run('node', ['scripts/generate.mjs'], { cwd: root });
  await run('node_modules/.bin/vite', ['build', '--outDir', builtFiles, '--logLevel', 'warn'], { cwd: root, env });
}

async function startService() {
  const program = process.env.SNAPNOTE ?? join(repository, 'target/debug/snapnote');
  if (!existsSync(program)) throw new Error(`There is no service at ${program}. Build it with \`cargo build\`, or set SNAPNOTE.`);
  const env = {
    ...process.env,
    SNAPNOTE_EMBEDDED: 'true',
    SNAPNOTE_DATA_DIR: join(data, 'data'),
    SNAPNOTE_LISTEN: `127.0.0.1:${servicePort}`,
    SNAPNOTE_APP_URL: APP,
    SNAPNOTE_ISSUERS: issuers,
  };
  const child = spawn(program, ['serve'], { env, stdio: ['ignore', 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore'] });
  const ended = new Promise((done) => child.once('exit', done));
  for (let attempt = 0; !(await fetch(`${SERVICE}/readyz`).then(({ ok }) => ok, () => false)); attempt += 1) {
    if (attempt > 600 || child.exitCode !== null) throw new Error('The service did not start. Set VERBOSE=1 to see its log.');
    await sleep(100);
  }
  return async () => {
    child.kill('SIGINT');
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.webmanifest': 'application/manifest+json' };

/** Serves the built app like any static host: unknown addresses are the page. */
async function serveApp() {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, APP);
    const file = extname(pathname) && !pathname.includes('..') ? join(builtFiles, pathname) : join(builtFiles, 'index.html');
    if (!existsSync(file)) return response.writeHead(404).end();
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(appPort, '127.0.0.1', done));
  return server;
}

/** Starts everything. Returns a function that stops it. */
export async function start() {
  const [stopService, provider] = await Promise.all([startService(), startProvider(providerPort, CLIENT_ID), build()]);
  const app = await serveApp();
  return async () => {
    app.closeAllConnections();
    app.close();
    provider.closeAllConnections();
    provider.close();
    await stopService();
    rmSync(builtFiles, { recursive: true, force: true });
  };
}
