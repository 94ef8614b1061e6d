/**
 * React hooks: lists that update by themselves, offline and in all tabs.
 * @packageDocumentation
 */

import { createContext, createElement, useContext, useMemo, useSyncExternalStore, type ReactElement, type ReactNode } from 'react';
import type { OfflineClient } from './client.js';
import type { ItemStatus } from './generated.js';
import type { ItemOf, ItemType } from './items.js';
import type { Rejection } from './store.js';
import type { Status } from './tabs.js';

const Context = createContext<OfflineClient | null>(null);

/** Gives its children the client. */
export function SnapNoteProvider({ client, children }: { client: OfflineClient; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: client }, children);
}

/**
 * The client of the nearest {@link SnapNoteProvider}.
 * @throws Error outside of a provider.
 */
export function useClient(): OfflineClient {
  const client = useContext(Context);
  if (!client) throw new Error('Put the component into a SnapNoteProvider.');
  return client;
}

/**
 * All items of a type, the oldest first. The same array is returned until one of them changes.
 * @param status `ACTIVE` (default), or `TRASH` for items in the trash.
 * @example
 * const open = useItems('Task').filter(({ fields }) => !fields.completed);
 */
export function useItems<T extends ItemType>(type: T, status: ItemStatus = 'ACTIVE'): readonly ItemOf<T>[] {
  const client = useClient();
  const select = useMemo(() => selection(client, type, status), [client, type, status]);
  return useSnapshot(select);
}

/** The item of this type with an id, active or in the trash. Undefined if it does not exist. */
export function useItem<T extends ItemType>(type: T, id: string): ItemOf<T> | undefined {
  const client = useClient();
  return useSnapshot(() => client.item(type, id));
}

/** Changes that the service rejected, until `client.dismiss` is called. */
export function useRejections(): readonly Rejection[] {
  const client = useClient();
  return useSnapshot(() => client.rejections());
}

/** The state of the connection. */
export interface SyncState {
  readonly status: Status;
  /** How many changes the service has not confirmed yet. */
  readonly unsent: number;
  /** Whether all items have been read from the service once. */
  readonly isLoaded: boolean;
}

/** The state of the connection, for an indicator. */
export function useSyncState(): SyncState {
  const client = useClient();
  const status = useSnapshot(() => client.status);
  const unsent = useSnapshot(() => client.outbox().length);
  const isLoaded = useSnapshot(() => client.isLoaded);
  return { status, unsent, isLoaded };
}

function useSnapshot<V>(snapshot: () => V): V {
  const client = useClient();
  const subscribe = useMemo(() => (listener: () => void) => client.subscribe(listener), [client]);
  return useSyncExternalStore(subscribe, snapshot, snapshot);
}

/** Returns the same list while its items are the same. */
function selection<T extends ItemType>(client: OfflineClient, type: T, status: ItemStatus): () => readonly ItemOf<T>[] {
  let from: unknown;
  let list: readonly ItemOf<T>[] = [];
  return () => {
    const items = client.items();
    if (items === from) return list;
    from = items;
    const next: ItemOf<T>[] = [];
    for (const item of items.values()) if (item.type === type && item.status === status) next.push(item as ItemOf<T>);
    next.sort((one, other) => (one.id < other.id ? -1 : 1));
    if (next.length !== list.length || next.some((item, index) => item !== list[index])) list = next;
    return list;
  };
}
