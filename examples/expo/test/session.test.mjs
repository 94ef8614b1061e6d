// The session's code and the requests against a service, with a keychain in memory. SNAPNOTE is the service's program (default target/debug/snapnote).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Session } from '@snapnote/client';
import { draftsWith } from '../src/draft.ts';
import { CreateTaskDocument, TasksDocument, TypedDocumentString } from '../src/gql/graphql.ts';
import { requestsOf } from '../src/request.ts';
import { SecureSessionStore } from '../src/secure-session-store.ts';
import { graphqlUrl } from '../src/service-url.ts';

const ME = new TypedDocumentString('{ me { name } }');
let url;
let stop;
let users = 0;

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

before(async () => {
  const program = process.env.SNAPNOTE ?? new URL('../../../target/debug/snapnote', import.meta.url).pathname;
  if (!existsSync(program)) throw new Error(`There is no service at ${program}. Build it with \`cargo build\`, or set SNAPNOTE.`);
  const [data, port] = [mkdtempSync(join(tmpdir(), 'snapnote-expo-')), await freePort()];
  chmodSync(data, 0o755);
  const settings = { SNAPNOTE_EMBEDDED: 'true', SNAPNOTE_DATA_DIR: join(data, 'data'), SNAPNOTE_LISTEN: `127.0.0.1:${port}` };
  const service = spawn(program, ['serve'], { env: { ...process.env, ...settings }, stdio: 'ignore' });
  const ended = new Promise((done) => service.once('exit', done));
  stop = async () => {
    service.kill('SIGINT');
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  url = `http://127.0.0.1:${port}/graphql`;
  for (let attempt = 0; !(await fetch(new URL('/readyz', url)).then(({ ok }) => ok, () => false)); attempt += 1) {
    if (attempt > 600 || service.exitCode !== null) throw new Error('The service did not start.');
    await sleep(100);
  }
});
after(() => stop?.());

/** A keychain that records what it stores. */
function newKeychain() {
  const entries = new Map();
  return {
    entries,
    getItemAsync: async (key) => entries.get(key) ?? null,
    setItemAsync: async (key, value, options) => {
      assert.deepEqual(options, { keychainAccessible: 7 });
      entries.set(key, value);
    },
    deleteItemAsync: async (key) => void entries.delete(key),
  };
}

const sessionOf = (keychain) => new Session({ url, store: new SecureSessionStore(keychain, { keychainAccessible: 7 }) });
const stored = (keychain) => JSON.parse([...keychain.entries.values()][0]);

async function signedUp() {
  const keychain = newKeychain();
  const session = sessionOf(keychain);
  const email = `ada-${process.pid}-${(users += 1)}@example.com`;
  assert.deepEqual(await session.signUp({ name: 'Ada', email, password: 'seven quiet lanterns' }), []);
  return { keychain, session };
}

it('continues the session after the app was restarted', async () => {
  const { keychain } = await signedUp();
  const restarted = sessionOf(keychain);
  assert.ok(await restarted.userId());
  assert.deepEqual(await requestsOf(restarted, url)(ME, {}), { me: { name: 'Ada' } });
});

it('stores the new refresh token before it uses the new access token, and renews once for parallel requests', async () => {
  const { keychain } = await signedUp();
  const before = stored(keychain);
  keychain.entries.set([...keychain.entries.keys()][0], JSON.stringify({ ...before, accessToken: 'rejected' }));
  let renewals = 0;
  const { setItemAsync } = keychain;
  keychain.setItemAsync = (...parameters) => {
    renewals += 1;
    return setItemAsync(...parameters);
  };
  const request = requestsOf(sessionOf(keychain), url);
  const responses = await Promise.all([request(ME, {}), request(ME, {}), request(ME, {})]);
  assert.deepEqual(responses, Array.from({ length: 3 }, () => ({ me: { name: 'Ada' } })));
  assert.equal(renewals, 1);
  assert.notEqual(stored(keychain).refreshToken, before.refreshToken);
});

it('removes the session from the keychain and at the service on sign-out', async () => {
  const { keychain, session } = await signedUp();
  const before = stored(keychain);
  await session.signOut();
  assert.equal(keychain.entries.size, 0);
  keychain.entries.set('snapnote-session', JSON.stringify({ ...before, renewAt: 0 }));
  await assert.rejects(requestsOf(sessionOf(keychain), url)(ME, {}), { code: 'UNAUTHENTICATED' });
  assert.equal(keychain.entries.size, 0);
});

it('treats an entry that cannot be read as no session', async () => {
  const { keychain } = await signedUp();
  keychain.getItemAsync = () => Promise.reject(new Error('The key is gone.'));
  assert.equal(await sessionOf(keychain).userId(), null);
});

/** A proxy in front of the service that loses the first two responses: the client gets the status 503, and then a closed connection. */
async function startLossyProxy() {
  const bodies = [];
  const server = createHttpServer(async (incoming, outgoing) => {
    const body = Buffer.concat(await incoming.toArray()).toString();
    const { authorization } = incoming.headers;
    const response = await fetch(url, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body });
    const text = await response.text();
    bodies.push(body);
    if (bodies.length === 1) outgoing.writeHead(503, { 'retry-after': '0' }).end();
    else if (bodies.length === 2) outgoing.destroy();
    else outgoing.writeHead(response.status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/graphql`, bodies, close };
}

it('creates one task if a response is lost and the user adds the task again', async (test) => {
  const { session } = await signedUp();
  const proxy = await startLossyProxy();
  test.after(proxy.close);
  const [throughProxy, direct] = [requestsOf(session, proxy.url), requestsOf(session, url)];
  const titles = async () => (await direct(TasksDocument, {})).tasks.nodes.map(({ title }) => title);
  const { empty, edited, afterSending } = draftsWith(randomUUID);
  let draft = edited(empty(), 'Read chapter 1');
  const add = async () => {
    const { userErrors } = (await throughProxy(CreateTaskDocument, draft)).result;
    draft = afterSending(draft, userErrors.length === 0);
  };
  await assert.rejects(add, { code: 'NETWORK' });
  assert.equal(proxy.bodies.length, 2, 'the request with the status 503 was repeated');
  draft = edited(afterSending(draft, false), 'Read chapter 1');
  await add();
  assert.deepEqual(await titles(), ['Read chapter 1']);
  assert.equal(draft.title, '');
  draft = edited(draft, 'Read chapter 1');
  await add();
  assert.deepEqual(await titles(), ['Read chapter 1', 'Read chapter 1'], 'the next task has an id of its own');
});

it('reports the network', async () => {
  const { session } = await signedUp();
  await assert.rejects(requestsOf(session, 'http://127.0.0.1:1/graphql')(ME, {}), { code: 'NETWORK' });
});

it('finds the service on the machine that serves the code of the app', () => {
  assert.equal(graphqlUrl(undefined, '192.168.1.20:8081'), 'http://192.168.1.20:8080/graphql');
  assert.equal(graphqlUrl(undefined, '[fd00::20]:8081'), 'http://[fd00::20]:8080/graphql');
  assert.equal(graphqlUrl('https://api.example.com/', '192.168.1.20:8081'), 'https://api.example.com/graphql');
  assert.throws(() => graphqlUrl(undefined, undefined), /EXPO_PUBLIC_SERVICE/);
});
