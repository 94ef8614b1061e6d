// The persistent state: the service's items, the position in the feed, and the outbox. Implement `Store` for other storage.

import type { Item } from './items.js';
import type { Entry } from './outbox.js';

export interface State {
  items: Map<string, Item>;
  outbox: readonly Entry[];
  /** The position in the feed. Null if nothing has been read. */
  cursor: string | null;
}

/** A change of the state that is stored completely or not at all. */
export interface Batch {
  /** Removes all items that are not in `put`. */
  replaceAll?: boolean;
  put?: Item[];
  remove?: string[];
  outbox?: readonly Entry[];
  cursor?: string | null;
}

export interface Store {
  load(): Promise<State>;
  /** Stores batches in the order of the calls, each in one transaction. */
  commit(batch: Batch): Promise<void>;
}

export function apply(state: State, batch: Batch): void {
  if (batch.replaceAll) state.items.clear();
  for (const item of batch.put ?? []) state.items.set(item.id, item);
  for (const id of batch.remove ?? []) state.items.delete(id);
  if (batch.outbox) state.outbox = batch.outbox;
  if (batch.cursor !== undefined) state.cursor = batch.cursor;
}

export class MemoryStore implements Store {
  protected readonly state: State = { items: new Map(), outbox: [], cursor: null };

  async load(): Promise<State> {
    return { ...this.state, items: new Map(this.state.items) };
  }

  async commit(batch: Batch): Promise<void> {
    apply(this.state, batch);
  }
}
