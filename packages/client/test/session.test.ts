// Tokens: one refresh at a time in all tabs, and lost responses.

import './browser.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IndexedDbSessionStore, MemorySessionStore, Session } from '../src/session.js';
import { signedIn, until, url } from './device.js';
import { broken, FakeService } from './service.js';

const refreshes = (service: FakeService) => service.operations.filter((name) => name === 'Refresh').length;
let databases = 0;

/** Two tabs that share a session whose token must be renewed. */
async function twoTabs(service: FakeService): Promise<[Session, Session]> {
  globalThis.fetch = service.fetch as unknown as typeof fetch;
  const name = `session-${databases++}`;
  const [one, other] = [1, 2].map(() => new Session({ url, store: new IndexedDbSessionStore(name) }));
  service.lifetimeSeconds = 0;
  await one!.signIn({ email: 'a', password: 'p' });
  service.lifetimeSeconds = 900;
  return [one!, other!];
}

test('a user signs in, is known without a network, and signs out', async () => {
  const service = new FakeService();
  const session = await signedIn(service);
  assert.equal(await session.userId(), 'user');
  const token = await session.accessToken();
  assert.equal(await session.accessToken(), token);
  assert.equal(refreshes(service), 0);
  await session.signOut();
  assert.equal(await session.userId(), null);
  await assert.rejects(session.accessToken(), { code: 'UNAUTHENTICATED' });
  assert.equal(service.operations.at(-1), 'SignOut');
});

test('a token is renewed after 80 % of its lifetime', async () => {
  const store = new MemorySessionStore();
  globalThis.fetch = new FakeService().fetch as unknown as typeof fetch;
  await new Session({ url, store }).signIn({ email: 'a', password: 'p' });
  const left = ((await store.load())?.renewAt ?? 0) - Date.now();
  assert(left > 715_000 && left <= 720_000, `${left}`);
});

test('the time of a late response counts as a part of the lifetime', async () => {
  const store = new MemorySessionStore();
  const service = new FakeService();
  service.handle = async (_, execute) => {
    await new Promise((done) => setTimeout(done, 100));
    return execute();
  };
  globalThis.fetch = service.fetch as unknown as typeof fetch;
  await new Session({ url, store }).signIn({ email: 'a', password: 'p' });
  const left = ((await store.load())?.renewAt ?? 0) - Date.now();
  assert(left > 0 && left <= 719_900, `${left}`);
});

test('a refresh whose response comes after the token should be renewed returns that token', async () => {
  const service = new FakeService();
  const session = await signedIn(service);
  const first = await session.accessToken();
  service.lifetimeSeconds = 0;
  const second = await session.renew(first);
  assert.notEqual(second, first);
  assert.equal(refreshes(service), 1);
  service.lifetimeSeconds = 900;
  assert.notEqual(await session.accessToken(), second);
  await session.signOut();
});

test('tabs share one refresh', async () => {
  const service = new FakeService();
  const [one, other] = await twoTabs(service);
  const tokens = await Promise.all([one.accessToken(), other.accessToken(), one.accessToken(), other.renew()]);
  assert.deepEqual([new Set(tokens).size, refreshes(service)], [1, 1]);
});

test('a rejected token is renewed once, in whichever tab', async () => {
  const service = new FakeService();
  const [one, other] = await twoTabs(service);
  const rejected = await one.accessToken();
  assert.equal(await other.accessToken(), rejected);
  const renewed = await one.renew(rejected);
  assert.notEqual(renewed, rejected);
  assert.equal(await other.renew(rejected), renewed);
  assert.equal(refreshes(service), 2);
});

test('a new refresh token is stored before it is used', async () => {
  class FullStore extends MemorySessionStore {
    isFull = false;
    override async save(state: Parameters<MemorySessionStore['save']>[0]): Promise<void> {
      if (this.isFull) throw new Error('full');
      await super.save(state);
    }
  }
  const service = new FakeService();
  globalThis.fetch = service.fetch as unknown as typeof fetch;
  const store = new FullStore();
  const session = new Session({ url, store });
  await session.signIn({ email: 'a', password: 'p' });
  const first = await session.accessToken();
  store.isFull = true;
  await assert.rejects(session.renew(first), /full/);
  store.isFull = false;
  // The old token returns the same successor.
  await session.renew(first);
  assert.equal((await store.load())?.refreshToken, 'r2');
});

test('a refresh whose response was lost is repeated at once, and does not end the session', async () => {
  const service = new FakeService();
  const session = await signedIn(service);
  const first = await session.accessToken();
  service.handle = async (_, execute) => {
    service.handle = async (__, again) => again();
    execute();
    throw broken();
  };
  await assert.rejects(session.renew(first), { code: 'NETWORK' });
  await until(() => refreshes(service) === 2, 'repeated');
  await session.accessToken();
  assert.equal(await session.userId(), 'user');
  const next = await session.renew(await session.accessToken());
  assert(service.accepted.has(next));
});

test('a session ends when another user signs in', async () => {
  const service = new FakeService();
  const [one, other] = await twoTabs(service);
  assert.equal(await one.userId(), await other.userId());
  await other.signOut();
  service.user = 'bob';
  await other.signIn({ email: 'b', password: 'p' });
  assert.equal(await other.userId(), 'bob');
  await assert.rejects(one.renew(), { code: 'UNAUTHENTICATED' });
  assert.equal(await one.userId(), null);
  await one.signOut();
  assert.equal(await other.accessToken(), await new Session({ url, store: new IndexedDbSessionStore(`session-${databases - 1}`) }).accessToken());
  await one.signIn({ email: 'b', password: 'p' });
  assert.equal(await one.userId(), 'bob');
});

test('an ended session is signed out in all tabs', async () => {
  const service = new FakeService();
  const [one, other] = await twoTabs(service);
  service.handle = async () => ({ result: { accessToken: null, refreshToken: null, userErrors: [{ code: 'INVALID_TOKEN', field: null, message: '' }] } });
  await assert.rejects(one.accessToken(), { code: 'UNAUTHENTICATED' });
  await assert.rejects(other.accessToken(), { code: 'UNAUTHENTICATED' });
  assert.equal(await other.userId(), null);
  assert.equal(refreshes(service), 1);
});
