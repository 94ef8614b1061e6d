// Reads the service directly, without the flaky proxy: the state that the devices are compared with.

import { ITEM, itemOf, MemorySessionStore, newId, Session, type Item, type ItemPayload } from '@snapnote/client';
import type { Credentials } from './device.js';

const sessions = new Map<string, Session>();

/** Signs up a new user. */
export async function newUser(service: string): Promise<Credentials> {
  const user = { email: `${newId()}@example.com`, password: 'correct horse' };
  const session = new Session({ url: service, store: new MemorySessionStore() });
  for (const { message } of await session.signUp({ ...user, name: 'Ada' })) throw new Error(message);
  sessions.set(user.email, session);
  return user;
}

async function send<T>(service: string, user: Credentials, query: string, variables: object): Promise<T> {
  const authorization = `Bearer ${await sessions.get(user.email)?.accessToken()}`;
  const headers = { 'content-type': 'application/json', authorization };
  const response = await fetch(service, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = (await response.json()) as { data?: T; errors?: { message: string }[] };
  if (!data || errors) throw new Error(errors?.[0]?.message);
  return data;
}

interface Pages<T> {
  list: { nodes: T[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
}

async function all<T>(service: string, user: Credentials, field: string, selection: string): Promise<T[]> {
  const found: T[] = [];
  for (let after: string | null = null; ; ) {
    const query = `query($after: String) {
      list: ${field}, after: $after) { nodes { ${selection} } pageInfo { hasNextPage endCursor } }
    } ${selection.includes('...Item') ? ITEM : ''}`;
    const { list }: Pages<T> = await send(service, user, query, { after });
    found.push(...list.nodes);
    if (!list.pageInfo.hasNextPage) return found;
    after = list.pageInfo.endCursor;
  }
}

/** All items of the user. */
export async function allItems(service: string, user: Credentials): Promise<Map<string, Item>> {
  const lists = ['tags', 'courses', 'documents', 'tasks'].map((name) => `${name}(first: 100, filter: { status: null }`);
  const items = await Promise.all(lists.map((list) => all<ItemPayload>(service, user, list, '...Item')));
  return new Map(items.flat().map((item) => [item.id, itemOf(item)]));
}

/** All changes of the user's items. */
export async function allChanges(service: string, user: Credentials): Promise<{ action: string; itemId: string }[]> {
  return all(service, user, 'changes(first: 100', 'action itemId');
}
