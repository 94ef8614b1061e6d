// A client of the fake service.

import assert from 'node:assert/strict';
import { OfflineClient, type ClientOptions } from '../src/client.js';
import type { Item, Values } from '../src/items.js';
import type { Conflict, Entry } from '../src/outbox.js';
import { MemorySessionStore, Session } from '../src/session.js';
import { MemoryStore, type State } from '../src/store.js';
import type { FakeService } from './service.js';

export const url = 'http://service.test/graphql';

/** A store whose state tests can see. */
export class OpenStore extends MemoryStore {
  get now(): State {
    return this.state;
  }
}

export async function signedIn(service: FakeService): Promise<Session> {
  globalThis.fetch = service.fetch as unknown as typeof fetch;
  const session = new Session({ url, store: new MemorySessionStore() });
  assert.deepEqual(await session.signIn({ email: 'ada@example.com', password: 'correct horse' }), []);
  return session;
}

export interface Device {
  client: OfflineClient;
  store: OpenStore;
  conflicts: Conflict[];
  rejected: { entry: Entry; codes: string[] }[];
}

export async function open(service: FakeService, options: Partial<ClientOptions> = {}, store = new OpenStore()): Promise<Device> {
  const tokens = options.tokens ?? (await signedIn(service));
  const conflicts: Conflict[] = [];
  const rejected: Device['rejected'] = [];
  const client = await OfflineClient.open({
    url,
    tokens,
    store,
    webSocket: service.webSocket,
    onConflict: (conflict) => {
      conflicts.push(conflict);
      return conflict.mine;
    },
    onRejected: (entry, errors) => rejected.push({ entry, codes: errors.map(({ code }) => code) }),
    ...options,
  });
  return { client, store, conflicts, rejected };
}

/** A connected client. */
export async function connected(service: FakeService, options: Partial<ClientOptions> = {}, store = new OpenStore()): Promise<Device> {
  const device = await open(service, options, store);
  device.client.start();
  await until(() => device.client.status === 'live', 'live');
  return device;
}

/** Waits until a condition holds. */
export async function until(holds: () => unknown, what = 'the condition holds'): Promise<void> {
  for (const began = Date.now(); !holds(); ) {
    if (Date.now() - began > 60_000) throw new Error(`timeout waiting until ${what}: ${holds}`);
    await new Promise((done) => setTimeout(done, 1));
  }
}

export const settled = (client: OfflineClient) => until(() => client.status === 'live' && client.outbox().length === 0, 'settled');

export function field(client: OfflineClient, id: string, name: string): unknown {
  return (client.items().get(id)?.fields as unknown as Values | undefined)?.[name];
}

export const statusOf = (client: OfflineClient, id: string): Item['status'] | undefined => client.items().get(id)?.status;
