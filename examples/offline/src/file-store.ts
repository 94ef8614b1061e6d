// A store in a file of JSON, for programs in Node; in a browser the same two methods are written on IndexedDB.

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
    // Written beside the old one, then renamed: whenever the program ends, the file is the old one or the new one.
    const beside = `${this.path}.new`;
    const file = openSync(beside, 'w');
    writeFileSync(file, JSON.stringify({ ...this.state, items: [...this.state.items.values()] }));
    fsyncSync(file);
    closeSync(file);
    renameSync(beside, this.path);
  }
}
