// Reads the service directly, without the flaky proxy: the state that the devices are compared with.

import { ITEM, itemOf, newId, type Item, type ItemFragment } from '@snapnote/client';
import type { Credentials } from './device.js';

async function post<T>(service: string, token: string | null, query: string, variables: object): Promise<T> {
  const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const headers = { 'content-type': 'application/json', ...authorization };
  const response = await fetch(service, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = (await response.json()) as { data?: T; errors?: { message: string }[] };
  if (!data || errors) throw new Error(errors?.[0]?.message);
  return data;
}

export async function newUser(service: string): Promise<Credentials> {
  const user = { email: `${newId()}@example.com`, password: 'correct horse' };
  const query = `mutation($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }`;
  await post(service, null, query, { input: { ...user, name: 'Ada' } });
  return user;
}

const tokens = new Map<string, string>();

async function send<T>(service: string, user: Credentials, query: string, variables: object): Promise<T> {
  const signIn = `mutation($user: SignInInput!) { signIn(input: $user) { accessToken } }`;
  for (let again = false; ; again = true) {
    const token = tokens.get(user.email);
    if (token) {
      const response = await post<T>(service, token, query, variables).catch((error) => error as Error);
      if (!(response instanceof Error)) return response;
      if (again) throw response;
    }
    const data = await post<{ signIn: { accessToken: string } }>(service, null, signIn, { user });
    tokens.set(user.email, data.signIn.accessToken);
  }
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
  const items = await Promise.all(lists.map((list) => all<ItemFragment>(service, user, list, '...Item')));
  return new Map(items.flat().map((item) => [item.id, itemOf(item)]));
}

/** All changes of the user's items. */
export async function allChanges(service: string, user: Credentials): Promise<{ action: string; itemId: string }[]> {
  return all(service, user, 'changes(first: 100', 'action itemId');
}
