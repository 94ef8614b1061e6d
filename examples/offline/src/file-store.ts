// A store in a JSON file, for Node. In a browser, implement the same two methods with IndexedDB.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Item } from './items.js';
import { MemoryStore, type Batch } from './store.js';

export class FileStore extends MemoryStore {
  constructor(private readonly path: string) {
    super();
    if (!existsSync(path)) return;
    const { items, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
    Object.assign(this.state, rest, { items: new Map(items.map((item: Item) => [item.id, item])) });
  }

  override async commit(batch: Batch): Promise<void> {
    await super.commit(batch);
    // Writing a new file and renaming it keeps the old or the new state, whenever the program ends.
    const temporary = `${this.path}.new`;
    const file = openSync(temporary, 'w');
    writeFileSync(file, JSON.stringify({ ...this.state, items: [...this.state.items.values()] }));
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, this.path);
  }
}
