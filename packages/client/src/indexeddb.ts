// A store in IndexedDB, which all tabs of a browser share.

import { openDatabase, result, stored } from './database.js';
import type { Item } from './items.js';
import type { Entry } from './outbox.js';
import type { Batch, Commit, Rejection, State, Store } from './store.js';

const ALL = ['items', 'outbox', 'position', 'rejected'] as const;

/**
 * The state in IndexedDB. Its tabs elect one that is connected, and the others show what it stores.
 *
 * Use one name per user, so that two users of one browser do not see each other's items. Tabs can share it only in secure contexts
 * (HTTPS or localhost), because elections need Web Locks.
 *
 * @example const store = new IndexedDbStore(`notes-${await session.userId()}`);
 */
export class IndexedDbStore implements Store {
  readonly shared: string;
  private opened: Promise<IDBDatabase> | undefined;

  /** @param name The name of the database. */
  constructor(name: string) {
    this.shared = name;
  }

  async load(): Promise<State> {
    const transaction = (await this.database()).transaction(ALL);
    const [items, outbox, cursor, revision, rejected] = await Promise.all([
      result<Item[]>(transaction.objectStore('items').getAll()),
      result<Entry[]>(transaction.objectStore('outbox').getAll()),
      result<string | null | undefined>(transaction.objectStore('position').get('cursor')),
      result<number | undefined>(transaction.objectStore('position').get('revision')),
      result<Rejection[]>(transaction.objectStore('rejected').getAll()),
    ]);
    return { items: new Map(items.map((item) => [item.id, item])), outbox, cursor: cursor ?? null, rejected, revision: revision ?? 0 };
  }

  async commit(change: (outbox: readonly Entry[]) => Batch): Promise<Commit> {
    const transaction = (await this.database()).transaction(ALL, 'readwrite');
    const done = stored(transaction);
    try {
      const [outbox, before] = await Promise.all([
        result<Entry[]>(transaction.objectStore('outbox').getAll()),
        result<number | undefined>(transaction.objectStore('position').get('revision')),
      ]);
      const batch = change(outbox);
      const revision = (before ?? 0) + 1;
      await write(transaction, batch, revision);
      await done;
      return { batch, revision };
    } catch (error) {
      done.catch(() => {});
      try {
        transaction.abort();
      } catch {
        // It has ended already.
      }
      throw error;
    }
  }

  /** Closes the database. The next call opens it again. */
  close(): void {
    this.opened?.then(
      (database) => database.close(),
      () => {},
    );
    this.opened = undefined;
  }

  /** Deletes the database with all unsent changes, for example after the user has signed out. Close the clients of all tabs before. */
  async destroy(): Promise<void> {
    this.close();
    await result(indexedDB.deleteDatabase(this.shared));
  }

  private database(): Promise<IDBDatabase> {
    this.opened ??= this.open().catch((error) => {
      // The next call tries again.
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  private async open(): Promise<IDBDatabase> {
    return openDatabase(this.shared, (database) => {
      database.createObjectStore('items', { keyPath: 'id' });
      // Entries are sent in the order of these numbers.
      database.createObjectStore('outbox', { autoIncrement: true }).createIndex('key', 'key', { unique: true });
      database.createObjectStore('position');
      database.createObjectStore('rejected', { keyPath: 'entry.key' });
    });
  }
}

async function write(transaction: IDBTransaction, batch: Batch, revision: number): Promise<void> {
  const { replaceAll, put = [], remove = [], enqueue = [], dequeue = [], cursor, rejected = [], dismissed = [] } = batch;
  const [items, outbox, position] = [transaction.objectStore('items'), transaction.objectStore('outbox'), transaction.objectStore('position')];
  if (replaceAll) items.clear();
  for (const item of put) items.put(item);
  for (const id of remove) items.delete(id);
  for (const rejection of rejected) transaction.objectStore('rejected').put(rejection);
  for (const key of dismissed) transaction.objectStore('rejected').delete(key);
  position.put(revision, 'revision');
  if (cursor !== undefined) position.put(cursor, 'cursor');
  for (const entry of enqueue) {
    const number = await result(outbox.index('key').getKey(entry.key));
    outbox.put(entry, number);
  }
  for (const key of dequeue) {
    const number = await result(outbox.index('key').getKey(key));
    if (number !== undefined) outbox.delete(number);
  }
}
