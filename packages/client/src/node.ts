/**
 * Stores in files, for Node.
 * @packageDocumentation
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Item } from './items.js';
import type { SessionState, SessionStore } from './session.js';
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
    replace(this.path, { ...state, items: [...state.items.values()] });
  }
}

/** A session in a JSON file that only its owner can read. One program at a time may use the file. */
export class FileSessionStore implements SessionStore {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async load(): Promise<SessionState | null> {
    return existsSync(this.path) ? (JSON.parse(readFileSync(this.path, 'utf8')) as SessionState | null) : null;
  }

  async save(state: SessionState | null): Promise<void> {
    replace(this.path, state);
  }
}

/** Replaces a file with a new one: it has the old or the new content, whenever the program or the machine stops. */
function replace(path: string, content: unknown): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(file, JSON.stringify(content));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  // Windows cannot open folders, and stores names without it.
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
