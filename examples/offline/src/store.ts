// What outlives the program: the items as the service had them, how far the feed was read, and the outbox.

import type { Item } from './items.js';
import type { Entry } from './outbox.js';

export interface State {
  items: Map<string, Item>;
  outbox: readonly Entry[];
  /** Where the feed was read to; null: nothing has been read. */
  cursor: string | null;
}

/** What belongs together: all of it is stored, or nothing. */
export interface Batch {
  /** All items that are not in `put` go. */
  fresh?: boolean;
  put?: Item[];
  remove?: string[];
  outbox?: readonly Entry[];
  cursor?: string | null;
}

export interface Store {
  load(): Promise<State>;
  /** In the order of the calls, each whole or not at all: one transaction, with IndexedDB. */
  commit(batch: Batch): Promise<void>;
}

export function apply(state: State, batch: Batch): void {
  if (batch.fresh) state.items.clear();
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
