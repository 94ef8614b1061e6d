// The persistent state: the service's items, the position in the feed, and the outbox. Implement `Store` for other storage.

import type { Item } from './items.js';
import type { Entry } from './outbox.js';
import type { UserError } from './remote.js';

/** What a store contains. */
export interface State {
  items: Map<string, Item>;
  outbox: readonly Entry[];
  /** The position in the feed. Null if nothing has been read, and empty if everything must be read again. */
  cursor: string | null;
  /** Entries that the service rejected and the app has not dismissed. */
  rejected: readonly Rejection[];
  /** How many batches have been stored. */
  revision: number;
}

/** A change of the state that is stored completely or not at all. */
export interface Batch {
  /** Removes all items that are not in `put`. */
  readonly replaceAll?: boolean;
  readonly put?: readonly Item[];
  readonly remove?: readonly string[];
  /** Entries of the outbox. Each replaces the entry with its key, or is added at the end. */
  readonly enqueue?: readonly Entry[];
  /** The keys of entries that leave the outbox. */
  readonly dequeue?: readonly string[];
  readonly cursor?: string | null;
  /** Entries that left the outbox because the service rejected them. */
  readonly rejected?: readonly Rejection[];
  /** The keys of rejected entries that the app has dismissed. */
  readonly dismissed?: readonly string[];
}

/** An entry that the service rejected, and why. */
export interface Rejection {
  readonly entry: Entry;
  readonly errors: readonly UserError[];
}

/** A batch that was stored, and the revision that it made. */
export interface Commit {
  readonly batch: Batch;
  readonly revision: number;
}

/**
 * Where a client keeps its state. A store belongs to one user. The package has {@link IndexedDbStore}, {@link MemoryStore} and,
 * in `@snapnote/client/node`, `FileStore`.
 */
export interface Store {
  /** The name under which the tabs of a browser share the state. Omit it if only one client at a time uses the store. */
  readonly shared?: string;
  /** The stored state. */
  load(): Promise<State>;
  /**
   * Makes a batch from the stored outbox and stores it, in one transaction: no other tab changes the outbox in between. Batches are
   * stored in the order of the calls. If it fails, nothing is stored.
   */
  commit(change: (outbox: readonly Entry[]) => Batch): Promise<Commit>;
  /** Releases what the store holds. */
  close?(): void;
}

/** The state after a batch. */
export function apply(state: State, batch: Batch): State {
  const { replaceAll, put = [], remove = [], enqueue = [], dequeue = [], cursor, rejected = [], dismissed = [] } = batch;
  const items = replaceAll ? new Map<string, Item>() : put.length || remove.length ? new Map(state.items) : state.items;
  for (const item of put) items.set(item.id, item);
  for (const id of remove) items.delete(id);
  let { outbox } = state;
  if (enqueue.length || dequeue.length) {
    const entries = new Map(outbox.map((entry) => [entry.key, entry]));
    for (const entry of enqueue) entries.set(entry.key, entry);
    for (const key of dequeue) entries.delete(key);
    outbox = [...entries.values()];
  }
  const kept = [...state.rejected, ...rejected].filter(({ entry }) => !dismissed.includes(entry.key));
  return { items, outbox, cursor: cursor === undefined ? state.cursor : cursor, rejected: kept, revision: state.revision + 1 };
}

/** The state of a new store. */
export function emptyState(): State {
  return { items: new Map(), outbox: [], cursor: null, rejected: [], revision: 0 };
}

/** A store in memory, for tests and for apps that keep nothing. */
export class MemoryStore implements Store {
  protected state: State = emptyState();

  async load(): Promise<State> {
    return this.state;
  }

  async commit(change: (outbox: readonly Entry[]) => Batch): Promise<Commit> {
    const batch = change(this.state.outbox);
    const next = apply(this.state, batch);
    this.save(next);
    this.state = next;
    return { batch, revision: next.revision };
  }

  /** Called with each new state before it is used. If it throws, nothing has changed. */
  protected save(_state: State): void {}
}
