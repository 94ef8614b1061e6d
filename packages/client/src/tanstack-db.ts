/**
 * Collections of TanStack DB that work offline and update live. Their writes are stored in the client's outbox.
 * @packageDocumentation
 */

import type { ChangeMessageOrDeleteKeyMessage, CollectionConfig, SyncConfig } from '@tanstack/db';
import type { OfflineClient } from './client.js';
import type { ItemStatus } from './generated.js';
import { newId, newItem, type Fields, type Item, type ItemType, type NewFields, type Values } from './items.js';

/** A row of a collection: an item with its fields. */
export type Row<T extends ItemType> = { -readonly [F in keyof Fields[T]]: Fields[T][F] } & {
  id: string;
  /** The service's version of the item: 0 until the service has created it. The client sets it. */
  version: number;
  /** Set `TRASH` to move the item to the trash, and `ACTIVE` to restore it. */
  status: ItemStatus;
};

/** How a collection is made. */
export interface CollectionOptions<T extends ItemType> {
  client: OfflineClient;
  type: T;
  /** The items of the collection: `ACTIVE` (default), or `TRASH` for items in the trash. */
  status?: ItemStatus;
  /** The id of the collection (default: made from `type` and `status`). */
  id?: string;
}

/**
 * A row to insert, with a new id and the default values of other fields.
 * @example tasks.insert(newRow('Task', { title: 'Register for the exam' }))
 */
export function newRow<T extends ItemType>(type: T, fields: NewFields<T>, id = newId()): Row<T> {
  return rowOf<T>(newItem(type, id, fields as Values));
}

/**
 * The options of a collection for `createCollection`.
 *
 * A write is complete when it is stored on this device: it is then part of the collection, in all tabs, and is sent as soon as possible.
 * To wait for the service, await `client.confirmed(id)`. If the service rejects a write, the collection returns to the service's state,
 * and the client's `onRejected` is called.
 *
 * `delete` moves active items to the trash. In a collection with `status: 'TRASH'`, it deletes them permanently.
 *
 * @example
 * const tasks = createCollection(snapnoteCollectionOptions({ client, type: 'Task' }));
 * tasks.insert(newRow('Task', { title: 'Read chapter 1' }));
 * tasks.update(id, (task) => { task.completed = true; });
 */
export function snapnoteCollectionOptions<T extends ItemType>(options: CollectionOptions<T>): CollectionConfig<Row<T>, string> {
  const { client, type, status = 'ACTIVE', id = `snapnote-${type}-${status}` } = options;
  return {
    id,
    getKey: (row) => row.id,
    sync: { sync: (target) => follow(client, type, status, target), rowUpdateMode: 'full' },
    onInsert: ({ transaction }) =>
      all(transaction.mutations, ({ modified }) => client.create(type, fieldsOf(modified) as NewFields<T>, modified.id)),
    onUpdate: ({ transaction }) => all(transaction.mutations, ({ key, changes }) => change(client, type, key, changes)),
    onDelete: ({ transaction }) => all(transaction.mutations, ({ key }) => (status === 'ACTIVE' ? client.trash(key) : client.delete(key))),
  };
}

async function all<M>(mutations: readonly M[], write: (mutation: M) => Promise<unknown>): Promise<void> {
  await Promise.all(mutations.map(write));
}

async function change<T extends ItemType>(client: OfflineClient, type: T, id: string, changes: Partial<Row<T>>): Promise<void> {
  const fields = fieldsOf(changes);
  const edit = () => (Object.keys(fields).length ? client.update(type, id, fields as Partial<Fields[T]>) : undefined);
  // An item is edited while it is active.
  if (changes.status === 'ACTIVE') await Promise.all([client.restore(id), edit()]);
  else await Promise.all([edit(), changes.status === 'TRASH' ? client.trash(id) : undefined]);
}

/** Keeps a collection equal to the client's items. Returns a function that ends this. */
function follow<T extends ItemType>(
  client: OfflineClient,
  type: T,
  status: ItemStatus,
  { begin, write, commit, markReady }: Parameters<SyncConfig<Row<T>, string>['sync']>[0],
): () => void {
  let items: ReadonlyMap<string, Item> = new Map();
  const isHere = (item: Item | undefined) => item?.type === type && item.status === status;
  const update = () => {
    const [before, now] = [items, client.items()];
    if (before === now) return;
    items = now;
    const messages: ChangeMessageOrDeleteKeyMessage<Row<T>, string>[] = [];
    for (const [id, item] of before) if (isHere(item) && !isHere(now.get(id))) messages.push({ type: 'delete', key: id });
    for (const [id, item] of now) {
      const old = before.get(id);
      if (isHere(item) && item !== old) messages.push({ type: isHere(old) ? 'update' : 'insert', value: rowOf<T>(item) });
    }
    if (messages.length === 0) return;
    begin();
    for (const message of messages) write(message);
    commit();
  };
  // Without a network, an app shows what is stored.
  const isReady = () => client.isLoaded || (client.status !== 'catching up' && client.status !== 'live');
  let wasReady = false;
  const ready = (now: boolean) => {
    if (now && !wasReady) markReady();
    wasReady ||= now;
  };
  update();
  ready(client.isLoaded);
  return client.subscribe(() => {
    update();
    ready(isReady());
  });
}

function rowOf<T extends ItemType>({ id, version, status, fields }: Item): Row<T> {
  return { ...fields, id, version, status } as unknown as Row<T>;
}

function fieldsOf({ id: _id, version: _version, status: _status, ...fields }: Values): Values {
  return fields;
}
