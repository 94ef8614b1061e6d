// A store in a JSON file, for Node: `@snapnote/client/node`.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Item } from './items.js';
import { MemoryStore, type State } from './store.js';

/** The state in a JSON file, which is written as a whole with each change. One program at a time may use the file. */
export class FileStore extends MemoryStore {
  private readonly path: string;

  constructor(path: string) {
    super();
    this.path = path;
    if (!existsSync(path)) return;
    const { items, ...rest } = JSON.parse(readFileSync(path, 'utf8')) as Omit<State, 'items'> & { items: Item[] };
    this.state = { ...this.state, ...rest, items: new Map(items.map((item) => [item.id, item])) };
  }

  protected override save(state: State): void {
    // Writing a new file and renaming it keeps the old or the new state, whenever the program ends.
    const temporary = `${this.path}.new`;
    const file = openSync(temporary, 'w');
    writeFileSync(file, JSON.stringify({ ...state, items: [...state.items.values()] }));
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, this.path);
  }
}
