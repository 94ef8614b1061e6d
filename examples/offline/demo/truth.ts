// The service itself, asked without any line that breaks: what the devices are held against.

import { itemOf, ITEM, newId, type Answered, type Item } from '../src/items.js';
import { post } from '../src/remote.js';
import type { Credentials } from './device.js';

export async function newcomer(service: string): Promise<Credentials> {
  const who = { email: `${newId()}@example.com`, password: 'correct horse' };
  const query = `mutation($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }`;
  await post(service, null, query, { input: { ...who, name: 'Ada' } });
  return who;
}

const tokens = new Map<string, string>();

async function ask<T>(service: string, who: Credentials, query: string, variables: object): Promise<T> {
  const signIn = `mutation($who: SignInInput!) { signIn(input: $who) { accessToken } }`;
  for (let again = false; ; again = true) {
    const token = tokens.get(who.email);
    if (token) {
      const answer = await post<T>(service, token, query, variables).catch((error) => error as Error);
      if (!(answer instanceof Error)) return answer.data;
      if (again) throw answer;
    }
    const { data } = await post<{ signIn: { accessToken: string } }>(service, null, signIn, { who });
    tokens.set(who.email, data.signIn.accessToken);
  }
}

interface Pages<T> {
  list: { nodes: T[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
}

async function all<T>(service: string, who: Credentials, field: string, selection: string): Promise<T[]> {
  const found: T[] = [];
  for (let after: string | null = null; ; ) {
    const query = `query($after: String) {
      list: ${field}, after: $after) { nodes { ${selection} } pageInfo { hasNextPage endCursor } }
    } ${selection.includes('...Item') ? ITEM : ''}`;
    const { list }: Pages<T> = await ask(service, who, query, { after });
    found.push(...list.nodes);
    if (!list.pageInfo.hasNextPage) return found;
    after = list.pageInfo.endCursor;
  }
}

/** All items that there are. */
export async function everything(service: string, who: Credentials): Promise<Map<string, Item>> {
  const lists = ['courses', 'documents', 'tasks'].map((name) => `${name}(first: 100, filter: { status: null }`);
  const items = await Promise.all(lists.map((list) => all<Answered>(service, who, list, '...Item')));
  return new Map(items.flat().map((item) => [item.id, itemOf(item)]));
}

/** All that ever happened to them. */
export async function history(service: string, who: Credentials): Promise<{ action: string; itemId: string }[]> {
  return all(service, who, 'changes(first: 100', 'action itemId');
}
