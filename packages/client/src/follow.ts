// When adapters of other GraphQL clients answer queries, and when they answer them again.

import type { OfflineClient } from './client.js';
import type { Item } from './items.js';

/** Whether the client's items are complete, or nothing better can be expected: before, a list would look empty. */
export function isReady(client: OfflineClient): boolean {
  return client.isLoaded || (client.status !== 'catching up' && client.status !== 'live');
}

/** Resolves when a query can be answered. Call the returned function to stop waiting. */
export function whenReady(client: OfflineClient, ready: () => void): () => void {
  if (client.isLoaded) {
    ready();
    return () => {};
  }
  const unsubscribe = client.subscribe(() => {
    if (!isReady(client)) return;
    unsubscribe();
    ready();
  });
  return unsubscribe;
}

/** The minimum time between two refetches because of changes. */
const REFETCH_MS = 1_000;

/**
 * Calls `changed` after each change of the items, and `refetch` after the service has new versions, while the client is connected: results
 * that only the service can compute may then be old. Returns a function that ends this.
 */
export function followItems(client: OfflineClient, changed: (items: readonly Item[], removed: readonly Item[]) => void, refetch: () => void): () => void {
  let before = client.items();
  let isOld = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const unsubscribe = client.subscribe(() => {
    const now = client.items();
    if (now !== before) {
      const items = [...now.values()].filter((item) => item !== before.get(item.id));
      const removed = [...before.values()].filter(({ id }) => !now.has(id));
      isOld ||= removed.length > 0 || items.some(({ id, version }) => version !== (before.get(id)?.version ?? 0));
      before = now;
      changed(items, removed);
    }
    if (!isOld || client.status !== 'live') return;
    timer ??= setTimeout(() => {
      timer = undefined;
      // Without a network, the old results stay. The next status is another call of this listener.
      if (client.status !== 'live') return;
      isOld = false;
      refetch();
    }, REFETCH_MS);
  });
  return () => {
    clearTimeout(timer);
    unsubscribe();
  };
}
