// What the tests run against: a service with an empty database, the built app, and a relay between them.

import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Relay } from './relay.mjs';

const root = new URL('../../', import.meta.url).pathname;
const repository = new URL('../../', `file://${root}`).pathname;
const [servicePort, relayPort, appPort, secondAppPort] = await freePorts(4);

export const SERVICE = `http://127.0.0.1:${servicePort}`;
export const APP = `http://127.0.0.1:${appPort}`;
/** A second server of the same app. */
export const SECOND_APP = `http://127.0.0.1:${secondAppPort}`;

/** Ports that no program uses. */
async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, () => new Promise((done) => {
    const server = createSocketServer().listen(0, '127.0.0.1', () => done(server));
  })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

const output = ['ignore', process.env.VERBOSE ? 'inherit' : 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore'];

/** Starts a program, and waits until it responds. Returns a function that stops it. */
async function start(command, parameters, options, url) {
  const child = spawn(command, parameters, { stdio: output, ...options });
  const ended = new Promise((done) => child.once('exit', done));
  for (let attempt = 0; !(await fetch(url).then(({ ok }) => ok, () => false)); attempt += 1) {
    if (attempt > 600 || child.exitCode !== null) throw new Error(`${command} did not start. Set VERBOSE=1 to see its log.`);
    await sleep(100);
  }
  return async () => {
    child.kill('SIGINT');
    await ended;
  };
}

async function startService() {
  const program = process.env.SNAPNOTE ?? join(repository, 'target/debug/snapnote');
  if (!existsSync(program)) throw new Error(`There is no service at ${program}. Build it with \`cargo build\`, or set SNAPNOTE.`);
  const data = mkdtempSync(join(tmpdir(), 'snapnote-next-'));
  chmodSync(data, 0o755);
  const env = {
    ...process.env,
    SNAPNOTE_EMBEDDED: 'true',
    SNAPNOTE_DATA_DIR: join(data, 'data'),
    SNAPNOTE_LISTEN: `127.0.0.1:${servicePort}`,
    SNAPNOTE_TRUSTED_PROXIES: '127.0.0.1/32',
    SNAPNOTE_ACCESS_TOKEN_LIFETIME: '3s',
    SNAPNOTE_LIMIT_SIGN_IN_ADDRESS: '5/10m',
    SNAPNOTE_LIMIT_COST: '20000/h',
  };
  const stop = await start(program, ['serve'], { env }, `${SERVICE}/readyz`);
  return async () => {
    await stop();
    rmSync(data, { recursive: true, force: true });
  };
}

async function build() {
  const child = spawn('npm', ['run', '--silent', 'build'], { cwd: root, stdio: output });
  const code = await new Promise((done) => child.once('exit', done));
  if (code !== 0) throw new Error('The build failed. Set VERBOSE=1 to see its output.');
}

function startApp(port) {
  const env = { ...process.env, PORT: String(port), HOST: '127.0.0.1', SNAPNOTE_URL: `http://127.0.0.1:${relayPort}`, NEXT_TELEMETRY_DISABLED: '1' };
  return start('node', ['server.mjs'], { cwd: root, env }, `http://127.0.0.1:${port}/sign-in`);
}

/** Starts everything. Returns the relay, and a function that stops everything. */
export async function startAll() {
  const [stopService] = await Promise.all([startService(), build()]);
  const relay = new Relay(servicePort, relayPort);
  await relay.open();
  const stopApps = await Promise.all([startApp(appPort), startApp(secondAppPort)]);
  const stop = async () => {
    await Promise.all(stopApps.map((stopApp) => stopApp()));
    relay.close();
    await stopService();
  };
  return { relay, stop };
}
